//! Which stack a command works on.

use clap::Args;

/// Which stack, as whom, and how it is shown.
#[derive(Args, Debug)]
pub(crate) struct StackArguments {
    /// The stack's name
    #[arg(long, env = "REVEILLE_STACK", default_value = "reveille", value_name = "NAME")]
    pub(crate) stack: String,
    /// A profile of the AWS configuration; the AWS CLI's if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The region; the AWS CLI's if not given
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
}
