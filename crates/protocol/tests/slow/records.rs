//! The records of the slow world, and how they fail.

use reveille_domain::ports::{
    Call, CallError, CallErrorKind, DeleteObject, GetAnswer, GetObject, ListObjects, Object, PutAnswer, PutCondition,
    PutObject,
};

use super::Slow;

fn etag(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

impl ListObjects for Slow {
    async fn list_objects_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Call<Vec<String>> {
        self.call().await;
        if self.began.elapsed() >= self.list_hangs_after.get() {
            return std::future::pending().await;
        }
        let objects = self.objects.borrow();
        let keys =
            objects.keys().filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
        Ok(keys.take(limit).cloned().collect())
    }
}

impl GetObject for Slow {
    async fn get_object(&self, key: &str) -> Call<GetAnswer> {
        self.call().await;
        Ok(self
            .objects
            .borrow()
            .get(key)
            .map_or(GetAnswer::Nothing, |body| GetAnswer::Object(Object { body: body.clone(), etag: etag(body) })))
    }
}

impl PutObject for Slow {
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer> {
        self.call().await;
        let mut objects = self.objects.borrow_mut();
        let reported = objects.keys().any(|key| key.ends_with("/report.json"));
        if key.starts_with("leases/") && reported && self.failing_leases.get() > 0 {
            self.failing_leases.set(self.failing_leases.get() - 1);
            let (kind, action, resource) = (CallErrorKind::NoAnswer, "s3:PutObject", key.to_owned());
            return Err(CallError { kind, action, resource, message: "no answer".into() });
        }
        let (from, until) = self.unwritable_lease.get();
        if key.starts_with("leases/") && (from..until).contains(&self.began.elapsed()) {
            let (kind, action, resource) = (CallErrorKind::NoAnswer, "s3:PutObject", key.to_owned());
            return Err(CallError { kind, action, resource, message: "no answer".into() });
        }
        let (run, until) = self.failing_report.get();
        if self.began.elapsed() < until && key.ends_with(&format!("{run}/1/report.json")) {
            let (kind, action, resource) = (CallErrorKind::NoAnswer, "s3:PutObject", key.to_owned());
            return Err(CallError { kind, action, resource, message: "no answer".into() });
        }
        let existing = objects.get(key).map(|body| etag(body));
        let holds = match condition {
            PutCondition::Always => true,
            PutCondition::IfAbsent => existing.is_none(),
            PutCondition::IfMatch(expected) => existing == Some(expected),
        };
        if !holds {
            return Ok(PutAnswer::ConditionFailed);
        }
        let written = etag(&body);
        objects.insert(key.to_owned(), body);
        Ok(PutAnswer::Written(written))
    }
}

impl DeleteObject for Slow {
    async fn delete_object(&self, key: &str, expected: &str) -> Call<bool> {
        self.call().await;
        let mut objects = self.objects.borrow_mut();
        let holds = objects.get(key).is_some_and(|body| etag(body) == expected);
        if holds {
            objects.remove(key);
        }
        Ok(holds)
    }
}
