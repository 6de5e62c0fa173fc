//! How a schedule is written down: as JSON, with times in seconds.

/// A duration in seconds.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A duration in seconds, or none.
pub(super) mod some_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.as_ref().map(Duration::as_secs_f64).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let given = Option::<f64>::deserialize(deserializer)?;
        given.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)).transpose()
    }
}

/// Durations in seconds.
pub(super) mod all_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(durations: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        durations.iter().map(Duration::as_secs_f64).collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        let all = Vec::<f64>::deserialize(deserializer)?;
        all.into_iter().map(|one| Duration::try_from_secs_f64(one).map_err(serde::de::Error::custom)).collect()
    }
}

/// A missed heartbeat by the name that is shown.
pub(super) mod missed_heartbeat {
    use reveille_asl::interpreter::MissedHeartbeat;
    use serde::{Deserialize, Deserializer, Serializer};

    const OTHER: &str = "States.HeartbeatTimeout";

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(name: &MissedHeartbeat, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match name {
            MissedHeartbeat::Timeout => "States.Timeout",
            MissedHeartbeat::HeartbeatTimeout => OTHER,
        })
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MissedHeartbeat, D::Error> {
        let other = String::deserialize(deserializer)? == OTHER;
        Ok(if other { MissedHeartbeat::HeartbeatTimeout } else { MissedHeartbeat::Timeout })
    }
}
