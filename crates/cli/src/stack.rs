//! Which stack a command works on.

use clap::Args;

/// The stack, where neither a person nor the environment names one.
pub(crate) const USUAL: &str = "reveille";

/// Which stack, as whom, and how it is shown.
#[derive(Args, Debug)]
pub(crate) struct StackArguments {
    /// The stack's name
    #[arg(long, env = "REVEILLE_STACK", default_value = USUAL, value_name = "NAME")]
    pub(crate) stack: String,
    /// A profile of the AWS configuration; the AWS CLI's if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The region; the AWS CLI's if not given
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
}
