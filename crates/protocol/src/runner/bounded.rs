//! The runner's ports, each remote call bounded in time: nothing of the loop waits for an answer that never comes.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reveille_domain::ports::{
    AnswerTask, AskedToEnd, Call, CallError, CallErrorKind, Clock, DeleteObject, ExecuteNotebook, FindLeftNotebook,
    GetAnswer, GetObject, Jupyter, KillLeftovers, LeftNotebook, ListObjects, LiveBody, Log, Nonces, PersonSeen,
    PutAnswer, PutCondition, PutObject, SeePerson, SendTaskHeartbeat, Sleep, StopAnswer, StopNotebookInstance,
    TokenAnswer, UploadFile, UploadLive,
};
use reveille_domain::records::Request;
use reveille_domain::{Failure, InstanceName};

use super::RunnerPorts;

/// The adapter gives a call up after 12 s; a listing is several calls, and a body that trickles is under no limit of its own.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// The adapter's own limit of an upload is 15 minutes.
const UPLOAD_LIMIT: Duration = Duration::from_mins(20);
/// What a notebook has left so far is worth less: the next is newer.
const LIVE_LIMIT: Duration = Duration::from_mins(5);

/// Ports that answer in time.
pub(super) struct Bounded<'a, P>(pub(super) &'a P);

impl<P: RunnerPorts> Bounded<'_, P> {
    async fn within<T>(
        &self,
        limit: Duration,
        (action, resource): (&'static str, &str),
        call: impl Future<Output = Call<T>>,
    ) -> Call<T> {
        tokio::select! {
            biased;
            answer = call => answer,
            () = self.0.sleep(limit) => Err(CallError {
                kind: CallErrorKind::NoAnswer,
                action,
                resource: resource.to_owned(),
                message: format!("no answer within {} s", limit.as_secs()),
            }),
        }
    }
}

/// What errors name instead of a token.
const TOKEN: &str = "the run's task token";

impl<P: RunnerPorts> GetObject for Bounded<'_, P> {
    async fn get_object(&self, key: &str) -> Call<GetAnswer> {
        self.within(CALL_LIMIT, ("s3:GetObject", key), self.0.get_object(key)).await
    }
}

impl<P: RunnerPorts> PutObject for Bounded<'_, P> {
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer> {
        self.within(CALL_LIMIT, ("s3:PutObject", key), self.0.put_object(key, body, condition)).await
    }
}

impl<P: RunnerPorts> DeleteObject for Bounded<'_, P> {
    async fn delete_object(&self, key: &str, etag: &str) -> Call<bool> {
        self.within(CALL_LIMIT, ("s3:DeleteObject", key), self.0.delete_object(key, etag)).await
    }
}

impl<P: RunnerPorts> ListObjects for Bounded<'_, P> {
    async fn list_objects_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Call<Vec<String>> {
        let call = self.0.list_objects_after(prefix, after, limit);
        self.within(CALL_LIMIT, ("s3:ListBucket", prefix), call).await
    }
}

impl<P: RunnerPorts> UploadFile for Bounded<'_, P> {
    async fn upload_file(&self, key: &str, path: &Path, content_type: &str) -> Call<()> {
        self.within(UPLOAD_LIMIT, ("s3:PutObject", key), self.0.upload_file(key, path, content_type)).await
    }
}

impl<P: RunnerPorts> UploadLive for Bounded<'_, P> {
    async fn upload_live(&self, key: &str, body: LiveBody<'_>) -> Call<()> {
        self.within(LIVE_LIMIT, ("s3:PutObject", key), self.0.upload_live(key, body)).await
    }
}

impl<P: RunnerPorts> AnswerTask for Bounded<'_, P> {
    async fn send_task_success(&self, token: &str, output: &serde_json::Value) -> Call<TokenAnswer> {
        let call = self.0.send_task_success(token, output);
        self.within(CALL_LIMIT, ("states:SendTaskSuccess", TOKEN), call).await
    }

    async fn send_task_failure(&self, token: &str, failure: &Failure) -> Call<TokenAnswer> {
        let call = self.0.send_task_failure(token, failure);
        self.within(CALL_LIMIT, ("states:SendTaskFailure", TOKEN), call).await
    }
}

impl<P: RunnerPorts> SendTaskHeartbeat for Bounded<'_, P> {
    async fn send_task_heartbeat(&self, token: &str) -> Call<TokenAnswer> {
        self.within(CALL_LIMIT, ("states:SendTaskHeartbeat", TOKEN), self.0.send_task_heartbeat(token)).await
    }
}

impl<P: RunnerPorts> StopNotebookInstance for Bounded<'_, P> {
    async fn stop_notebook_instance(&self, name: &InstanceName) -> Call<StopAnswer> {
        let about = ("sagemaker:StopNotebookInstance", name.as_str());
        self.within(CALL_LIMIT, about, self.0.stop_notebook_instance(name)).await
    }
}

impl<P: RunnerPorts> SeePerson for Bounded<'_, P> {
    async fn see_person(&self) -> PersonSeen {
        tokio::select! {
            biased;
            seen = self.0.see_person() => seen,
            () = self.0.sleep(CALL_LIMIT) => {
                PersonSeen { busy: false, last_active: None, ahead: None, jupyter: Jupyter::Silent }
            }
        }
    }
}

impl<P: RunnerPorts> ExecuteNotebook for Bounded<'_, P> {
    type Running = P::Running;

    async fn execute_notebook(&self, request: &Request, attempt: u32) -> P::Running {
        self.0.execute_notebook(request, attempt).await
    }
}

impl<P: RunnerPorts> KillLeftovers for Bounded<'_, P> {
    async fn kill_leftovers(&self) {
        self.0.kill_leftovers().await;
    }
}

impl<P: RunnerPorts> FindLeftNotebook for Bounded<'_, P> {
    async fn find_left_notebook(&self) -> Option<LeftNotebook> {
        self.0.find_left_notebook().await
    }
}

impl<P: RunnerPorts> AskedToEnd for Bounded<'_, P> {
    async fn asked_to_end(&self) {
        self.0.asked_to_end().await;
    }
}

impl<P: RunnerPorts> Clock for Bounded<'_, P> {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
}

impl<P: RunnerPorts> Sleep for Bounded<'_, P> {
    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

impl<P: RunnerPorts> Nonces for Bounded<'_, P> {
    fn nonce(&self) -> String {
        self.0.nonce()
    }
}

impl<P: RunnerPorts> Log for Bounded<'_, P> {
    fn log(&self, message: &str) {
        self.0.log(message);
    }
}
