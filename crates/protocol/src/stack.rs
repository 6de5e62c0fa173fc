//! What every step of one stack shares.

use reveille_domain::layout::Layout;

/// One deployed stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Where its records are.
    pub layout: Layout,
    /// The waiting state's heartbeat, in seconds; the definition has the same number.
    pub heartbeat_seconds: u32,
    /// The pause between two uploads of what a notebook has printed, in seconds; 0: none. AwaitRun tells the runner.
    pub live_output_seconds: u32,
    /// How many runs may wait on one instance; AwaitRun refuses more.
    pub max_waiting_runs: u32,
}
