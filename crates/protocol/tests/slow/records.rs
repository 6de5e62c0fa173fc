//! The records of the slow world, and how they fail.

use reveille_domain::ports::{
    Call, CallError, CallErrorKind, DeleteObject, GetAnswer, GetObject, ListObjects, PutAnswer, PutCondition, PutObject,
};

use super::{Slow, bucket};

fn no_answer(key: &str) -> CallError {
    let (kind, action, resource) = (CallErrorKind::NoAnswer, "s3:PutObject", key.to_owned());
    CallError { kind, action, resource, message: "no answer".into() }
}

impl ListObjects for Slow {
    async fn list_objects_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Call<Vec<String>> {
        self.call().await;
        if self.began.elapsed() >= self.list_hangs_after.get() {
            return std::future::pending().await;
        }
        Ok(bucket::keys_after(&self.objects.borrow(), prefix, after, limit))
    }
}

impl GetObject for Slow {
    async fn get_object(&self, key: &str) -> Call<GetAnswer> {
        self.call().await;
        Ok(bucket::get(&self.objects.borrow(), key))
    }
}

impl PutObject for Slow {
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer> {
        self.call().await;
        let mut objects = self.objects.borrow_mut();
        let reported = objects.keys().any(|key| key.ends_with("/report.json"));
        if key.starts_with("leases/") && reported && self.failing_leases.get() > 0 {
            self.failing_leases.set(self.failing_leases.get() - 1);
            return Err(no_answer(key));
        }
        let (from, until) = self.unwritable_lease.get();
        if key.starts_with("leases/") && (from..until).contains(&self.began.elapsed()) {
            return Err(no_answer(key));
        }
        let (run, until) = self.failing_report.get();
        if self.began.elapsed() < until && key.ends_with(&format!("{run}/1/report.json")) {
            return Err(no_answer(key));
        }
        Ok(bucket::put(&mut objects, key, body, condition))
    }
}

impl DeleteObject for Slow {
    async fn delete_object(&self, key: &str, expected: &str) -> Call<bool> {
        self.call().await;
        Ok(bucket::delete(&mut self.objects.borrow_mut(), key, expected))
    }
}
