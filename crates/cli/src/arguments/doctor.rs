//! The grammar of `reveille doctor`.

use clap::Args;
use reveille_domain::InstanceName;

use super::FormatArguments;
use crate::stack::StackArguments;

#[derive(Args, Debug)]
pub(crate) struct DoctorArguments {
    /// Check these instances; without any, those of the stack's triggers and runs
    #[arg(value_name = "INSTANCE", value_parser = InstanceName::parse)]
    pub(crate) instances: Vec<InstanceName>,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}
