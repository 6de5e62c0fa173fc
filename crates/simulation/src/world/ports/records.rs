//! The ports of the records: S3.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use reveille_domain::limits::MAX_RECORD_BYTES;
use reveille_domain::ports::{
    Call, CallErrorKind, DeleteObject, GetAnswer, GetObject, ListObjects, Object, PutAnswer, PutCondition, PutObject,
    UploadFile,
};

use super::{About, Ports};
use crate::earlier;
use crate::lies::{Lie, STRAY};
use crate::schedule::Action;

impl Ports {
    /// A record as whoever calls knows it: a runner or a function of the version before knows fewer fields.
    fn as_known(&self, key: &str, body: Vec<u8>) -> Vec<u8> {
        let is_earlier = match &self.actor.boot {
            Some(boot) => self.world.has_earlier_runner(boot),
            None => self.world.went_back(),
        };
        if is_earlier { earlier::known(key, body) } else { body }
    }
}

impl GetObject for Ports {
    async fn get_object(&self, key: &str) -> Call<GetAnswer> {
        let (owned, actor) = (Rc::<str>::from(key), Rc::clone(&self.actor));
        let answer = self
            .call(About::new(Action::Get, "s3:GetObject", Rc::clone(&owned)), move |world| {
                if world.lie.is_none() {
                    return Ok(world.bucket.answer(&owned));
                }
                let stands = world.bucket.get(&owned);
                let strays = || world.bucket.get(&format!("{owned}{STRAY}"));
                let stands = if world.lie == Some(Lie::StrayTickets) { stands.or_else(strays) } else { stands };
                let stands = match world.lie {
                    Some(lie) => {
                        let boot = actor.boot.as_ref().map(|boot| boot.id.as_str());
                        lie.about_get(boot, &owned, stands, world.now())
                    }
                    None => stands,
                };
                Ok(match stands {
                    None => GetAnswer::Nothing,
                    Some(object) if object.body.len() > MAX_RECORD_BYTES => GetAnswer::TooLarge { etag: object.etag },
                    Some(object) => GetAnswer::Object(object),
                })
            })
            .await;
        let answer = match answer {
            Ok(GetAnswer::Object(object)) => {
                Ok(GetAnswer::Object(Object { body: self.as_known(key, object.body), ..object }))
            }
            answer => answer,
        };
        match (self.world.lie, answer) {
            (Some(Lie::RefusedIsUnreadable), Err(error)) if error.kind == CallErrorKind::Refused => {
                Ok(GetAnswer::Object(Object { body: b"?".to_vec(), etag: "refused".into() }))
            }
            (Some(Lie::UnreadableIsRefused), Ok(GetAnswer::Object(object)))
                if serde_json::from_slice::<serde::de::IgnoredAny>(&object.body).is_err() =>
            {
                Err(About::new(Action::Get, "s3:GetObject", key).error(CallErrorKind::Refused, "it cannot be read"))
            }
            (_, answer) => answer,
        }
    }
}

impl PutObject for Ports {
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer> {
        let (owned, actor) = (Rc::<str>::from(key), Rc::clone(&self.actor));
        let body = self.as_known(key, body);
        let about = About::new(Action::Put, "s3:PutObject", Rc::clone(&owned));
        if let Some(answer) = self.opening_trouble(&about, key, &body).await {
            return answer;
        }
        self.call(about, move |world| {
            if world.lie.is_some_and(|lie| lie.swallows(&owned, &body)) {
                return Ok(PutAnswer::Written("swallowed".into()));
            }
            let condition = match world.lie {
                Some(lie) => lie.about_put(&owned, condition.clone()),
                None => condition.clone(),
            };
            let body = match world.lie {
                Some(lie) => Cow::Owned(lie.about_body(&owned, body.clone(), |key| world.bucket.record(key))),
                None => Cow::Borrowed(&body),
            };
            let answer = world.bucket.put(&owned, body.to_vec(), &condition);
            if matches!(answer, PutAnswer::Written(_)) {
                world.created(&owned);
            }
            world.say(|| {
                let label = &actor.label;
                let shown = if owned.starts_with("leases/") {
                    String::from_utf8_lossy(&body).into_owned()
                } else {
                    String::new()
                };
                match &answer {
                    PutAnswer::Written(_) => format!("  {label}: put {owned} {shown}"),
                    PutAnswer::ConditionFailed => format!("  {label}: put {owned} refused, {condition:?}"),
                }
            });
            Ok(answer)
        })
        .await
    }
}

impl DeleteObject for Ports {
    async fn delete_object(&self, key: &str, etag: &str) -> Call<bool> {
        let (owned, etag, actor) = (Rc::<str>::from(key), etag.to_owned(), Rc::clone(&self.actor));
        self.call(About::new(Action::Delete, "s3:DeleteObject", Rc::clone(&owned)), move |world| {
            let removed = world.bucket.delete(&owned, &etag);
            world.say(|| format!("  {}: delete {owned}: {removed}", actor.label));
            Ok(removed)
        })
        .await
    }
}

impl ListObjects for Ports {
    async fn list_objects_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Call<Vec<String>> {
        let (owned, after) = (Rc::<str>::from(prefix), after.map(str::to_owned));
        self.call(About::new(Action::List, "s3:ListBucket", Rc::clone(&owned)), move |world| {
            let keys = world.bucket.list(&owned, after.as_deref(), limit);
            Ok(match world.lie {
                Some(lie) => keys.into_iter().map(|key| lie.about_key(&key).to_owned()).collect(),
                None => keys,
            })
        })
        .await
    }
}

impl UploadFile for Ports {
    async fn upload_file(&self, key: &str, _path: &Path, _content_type: &str) -> Call<()> {
        let owned = Rc::<str>::from(key);
        self.call(About::new(Action::Upload, "s3:PutObject", Rc::clone(&owned)), move |world| {
            world.bucket.put(&owned, Vec::new(), &PutCondition::Always);
            Ok(())
        })
        .await
    }
}
