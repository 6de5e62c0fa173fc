//! The start of the local AWS, shown step by step; shared by `local` and `demo`.

use std::{
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use reveille_local::{Local, Options, Project};

use crate::{
    error::CliError,
    ui::{
        terminal::{Terminal, Tone},
        text::cut,
    },
};

/// The longest step.
const WIDEST: usize = 76;

/// Shows each step when the next one begins, with the time it took.
struct Steps {
    terminal: Terminal,
    present: Mutex<Option<(String, Instant)>>,
}

impl Steps {
    fn next(&self, step: Option<&str>) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((done, since)) = present.take() {
            let tick = self.terminal.paint(Tone::Good, "✓");
            let took = self.terminal.paint(Tone::Quiet, &format!("{:.1} s", since.elapsed().as_secs_f64()));
            // The tick, the time and the spaces between take fourteen columns.
            let room = self.terminal.width().saturating_sub(14).min(WIDEST);
            let done = cut(&done, room);
            self.terminal.line(&format!("  {tick} {done:<room$} {took}"));
        }
        if let Some(step) = step {
            self.terminal.step(step);
            *present = Some((step.to_owned(), Instant::now()));
        }
    }
}

/// Starts the local AWS of the checkout around the present folder, unless `interrupted` comes first.
pub(crate) async fn start(
    terminal: &Terminal,
    options: Options,
    interrupted: Pin<&mut impl Future<Output = ()>>,
) -> Result<Local, CliError> {
    tokio::select! {
        started = start_to_the_end(terminal, options) => started,
        // Dropping the half-started AWS stops what it had started.
        () = interrupted => Err(CliError::Interrupted),
    }
}

async fn start_to_the_end(terminal: &Terminal, mut options: Options) -> Result<Local, CliError> {
    let project = Project::find(&std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")))?;
    terminal.line(&terminal.paint(Tone::Strong, "Starting a local AWS"));
    let steps = Arc::new(Steps { terminal: terminal.clone(), present: Mutex::default() });
    let listener = steps.clone();
    options.on_progress = Some(Arc::new(move |step: &str| listener.next(Some(step))));
    let since = Instant::now();
    let local = Box::pin(Local::start(project, options)).await?;
    steps.next(None);
    let took = terminal.paint(Tone::Strong, &format!("ready in {:.1} s", since.elapsed().as_secs_f64()));
    terminal.line(&format!("  {took}"));
    terminal.line("");
    Ok(local)
}

/// Stops it.
pub(crate) async fn stop(terminal: &Terminal, local: Local) -> Result<(), CliError> {
    terminal.passing(Tone::Plain, "Stopping the local AWS …");
    let since = Instant::now();
    let stopped = local.stop().await;
    stopped?;
    let took = format!("{:.1} s", since.elapsed().as_secs_f64());
    terminal.line(&terminal.paint(Tone::Quiet, &format!("Everything that was started is stopped ({took}).")));
    Ok(())
}
