//! What a function sees of the world from outside of the instance.

use reveille_domain::InstanceName;
use reveille_domain::ports::{Call, DescribeExecution, DescribeNotebookInstance, InstanceStatus, Observation};

use super::{Slow, start};

impl DescribeExecution for Slow {
    async fn is_running(&self, arn: &str) -> Call<bool> {
        self.call().await;
        Ok(self.running.borrow().contains(arn))
    }
}

/// Seen from outside it is stopped.
impl DescribeNotebookInstance for Slow {
    async fn describe_notebook_instance(&self, _: &InstanceName) -> Call<Option<Observation>> {
        self.call().await;
        Ok(Some(Observation {
            status: InstanceStatus::Stopped,
            failure_reason: None,
            last_modified: Some(start()),
            lifecycle_config: Some("reveille".into()),
        }))
    }
}
