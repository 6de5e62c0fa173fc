//! A request of CloudFormation's, read so that it can be answered whatever is in it.

use reveille_domain::{Code, Failure};
use serde_json::Value;

use super::install::Wanted;

/// A request.
pub struct ResourceRequest {
    /// Where it is answered: presigned, so a secret.
    pub address: String,
    /// What is asked.
    pub kind: Kind,
    /// The answer says which request of which stack it answers, by these.
    pub stack_id: String,
    pub request_id: String,
    pub logical_id: String,
    /// The resource's id, once it has one.
    pub physical_id: Option<String>,
}

/// What is asked.
pub enum Kind {
    /// At a creation and at an update.
    Install(Wanted),
    /// At a deletion.
    Delete,
    /// What this function does not know; why.
    Unknown(String),
}

impl ResourceRequest {
    /// # Errors
    /// It has no address, so that nobody can be answered.
    pub fn read(payload: &[u8]) -> Result<Self, Failure> {
        let event: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let address = text("ResponseURL");
        if address.is_empty() {
            let message = "The function was called without an address to answer at. Only CloudFormation calls it, when the stack is deployed.";
            return Err(Failure::new(Code::InvalidRequest, message));
        }
        let properties = &event["ResourceProperties"];
        let kind = match event["RequestType"].as_str() {
            Some("Delete") => Kind::Delete,
            Some("Create" | "Update") => Wanted::read(properties).map_or_else(Kind::Unknown, Kind::Install),
            _ => Kind::Unknown("CloudFormation sent a request that is no Create, Update or Delete.".to_owned()),
        };
        Ok(Self {
            address,
            kind,
            stack_id: text("StackId"),
            request_id: text("RequestId"),
            logical_id: text("LogicalResourceId"),
            physical_id: Some(text("PhysicalResourceId")).filter(|id| !id.is_empty()),
        })
    }
}
