//! The clock, pauses and fresh values of a real machine.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reveille_domain::ports::{Clock, Nonces, Sleep};

use crate::clients::Aws;

impl Clock for Aws {
    fn now(&self) -> DateTime<Utc> {
        self.by_awss_clock(Utc::now())
    }
}

impl Sleep for Aws {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Nonces for Aws {
    fn nonce(&self) -> String {
        let mut bytes = [0_u8; 16];
        // The kernel's generator cannot fail once the machine is up; if it ever did, the time is still not repeated
        // by the one process that writes under this nonce.
        if getrandom::fill(&mut bytes).is_err() {
            return format!("t{}", Utc::now().timestamp_nanos_opt().unwrap_or_default());
        }
        format!("{:032x}", u128::from_be_bytes(bytes))
    }
}
