//! `reveille deploy`: the stack, from a release. Everything is checked, the change is shown and somebody agrees, before anything of it is made.

mod parameters_file;
mod release;
pub(super) mod standing;

use std::path::Path;

use release::Release;
use serde_json::{Map, Value, json};
use standing::{How, Standing};

use super::{
    stacks::{Agreement, Ended, Operation, Plan, Planned, Template, as_json, parameters::Settings, settings_lines},
    stop::Stop,
};
use crate::{
    arguments::{DeployArguments, Format},
    clients::{Artifacts, StackFacts, Stacks, TemplateAt},
    error::CliError,
    exit::Exit,
    ui::{
        labelled,
        terminal::{Terminal, Tone},
        times,
    },
};

const BUCKET: &str = "ArtifactsBucket";
const PREFIX: &str = "ArtifactsPrefix";

pub(crate) async fn run(terminal: &Terminal, arguments: &DeployArguments) -> Result<Exit, CliError> {
    if arguments.follow {
        return follow_only(terminal, arguments).await;
    }
    let is_json = arguments.format.output == Format::Json;
    // What was typed is checked first: nobody should have to confirm what cannot work.
    let given = given(arguments)?;
    let named = Named::by(terminal, arguments)?;
    Agreement::is_possible(arguments.yes, arguments.dry_run, is_json)?;
    let stacks = Stacks::of(&arguments.stack).await?;
    let stop = Stop::listening();
    let how = How { yes: arguments.yes, only_shows: arguments.dry_run, is_json };
    let standing = Standing::of(&stacks, (&arguments.stack.stack, standing::OURS)).await?;
    if matches!(standing, Standing::NotThere) && arguments.stack.stack.starts_with("arn:") {
        return Err(stacks.none_of(&arguments.stack.stack).await);
    }
    let before = standing.before();
    terminal.passing(Tone::Moving, "  checking the release");
    let (release, artifacts) = source(named, arguments.artifacts_bucket.as_deref(), &given, &stacks, before).await?;
    let template = Template::read(&release.template, "the release's template.yaml")?;
    let asked = asked(given, &artifacts, before)?;
    let kept = before.map(|stack| stack.parameters.clone()).unwrap_or_default();
    let settings = template.settings(&asked, &kept)?;
    // What a failed creation left is somebody's only trace of it: it goes when the next try has been checked.
    standing.cleared(terminal, &stacks, &stop, how).await?;
    let stack = arguments.stack.stack.as_str();
    let new =
        Deployment { terminal, arguments, stacks: &stacks, stop: &stop, release: &release, artifacts: &artifacts };
    let Some(planned) = new.planned(before, &settings).await? else {
        if is_json {
            Terminal::result(
                &json!({"stack": stack, "status": before.map(|stack| &stack.status), "changes": [], "parameters": []}),
            );
        } else {
            terminal.lines(&format!("{stack} has {} already: nothing changes", release.name()));
        }
        return Ok(Exit::Done);
    };
    new.show(before, &planned, &settings);
    let agreed = Agreement::asked(&stop, arguments.yes, arguments.dry_run, format!("Deploy this to {stack}?")).await;
    match agreed {
        Ok(Agreement::Yes) => new.deploy(planned, &settings, before.is_some()).await,
        Ok(Agreement::OnlyShow) => {
            planned.discard(&stacks).await?;
            if is_json {
                let (changes, parameters) = as_json(&planned.changes, &settings.changed);
                Terminal::result(
                    &json!({"stack": stack, "status": Value::Null, "changes": changes, "parameters": parameters}),
                );
            } else {
                terminal.note("nothing was changed (--dry-run)");
            }
            Ok(Exit::Done)
        }
        Ok(Agreement::No) => {
            planned.discard(&stacks).await?;
            Err(CliError::NotNow("nothing was changed".to_owned()))
        }
        Err(error) => Err(planned.undone(&stacks, error).await),
    }
}

/// The release that a person named.
enum Named {
    Folder(Release),
    InBucket { bucket: String, prefix: String },
}

impl Named {
    /// # Errors
    /// The folder has none, or what is typed contradicts itself.
    fn by(terminal: &Terminal, arguments: &DeployArguments) -> Result<Self, CliError> {
        let named = arguments.release.as_deref().unwrap_or_default();
        let Some(place) = named.strip_prefix("s3://") else {
            terminal.passing(Tone::Moving, "  checking the release");
            return Release::in_folder(Path::new(named)).map(Self::Folder);
        };
        if arguments.artifacts_bucket.is_some() {
            return Err(CliError::Usage(
                "--artifacts-bucket is for a folder: this release is in a bucket already".to_owned(),
            ));
        }
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Ok(Self::InBucket { bucket: bucket.to_owned(), prefix: format!("{prefix}{slash}") })
    }
}

/// The release, and where CloudFormation reads it.
async fn source(
    named: Named,
    bucket: Option<&str>,
    parameters: &[(String, String)],
    stacks: &Stacks,
    before: Option<&StackFacts>,
) -> Result<(Release, Artifacts), CliError> {
    let given = |name: &str| parameters.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone());
    let before = |name: &str| before.and_then(|stack| stack.parameters.get(name).cloned());
    let release = match named {
        Named::InBucket { bucket, prefix } => {
            let artifacts = Artifacts::new(&stacks.config, &stacks.region, &bucket, &prefix);
            return Ok((Release::in_bucket(&artifacts).await?, artifacts));
        }
        Named::Folder(release) => release,
    };
    let bucket = bucket.map(str::to_owned).or_else(|| given(BUCKET)).or_else(|| before(BUCKET));
    let Some(bucket) = bucket.filter(|bucket| !bucket.is_empty()) else {
        let region = &stacks.region;
        return Err(CliError::Usage(format!(
            "CloudFormation reads a release from a bucket in {region}: name one with --artifacts-bucket; to make one: aws s3 mb s3://NAME --region {region}"
        )));
    };
    let usual = || Template::read(&release.template, "the release's template.yaml").ok()?.default(PREFIX);
    let prefix = given(PREFIX).or_else(|| before(PREFIX)).or_else(usual).unwrap_or_default();
    Ok((release, Artifacts::new(&stacks.config, &stacks.region, &bucket, &prefix)))
}

/// The parameters that a person gave: those of the command line, and of the file what they leave.
fn given(arguments: &DeployArguments) -> Result<Vec<(String, String)>, CliError> {
    let mut given = arguments.parameters.clone();
    if let Some(path) = &arguments.parameters_file {
        let typed = |name: &str| arguments.parameters.iter().any(|(it, _)| it == name);
        given.extend(parameters_file::read(path)?.into_iter().filter(|(name, _)| !typed(name)));
    }
    Ok(given)
}

/// The parameters that are given, with the two that say where the release is.
fn asked(
    mut asked: Vec<(String, String)>,
    artifacts: &Artifacts,
    before: Option<&StackFacts>,
) -> Result<Vec<(String, String)>, CliError> {
    for (name, value) in [(BUCKET, &artifacts.bucket), (PREFIX, &artifacts.prefix)] {
        match asked.iter().find(|(it, _)| it == name) {
            Some((_, given)) if given != value => {
                return Err(CliError::Usage(format!("{name}={given}, but the release is in {}", artifacts.uri(""))));
            }
            Some(_) => {}
            None if before.is_some_and(|stack| stack.parameters.get(name) == Some(value)) => {}
            None => asked.push((name.to_owned(), value.clone())),
        }
    }
    Ok(asked)
}

/// One deployment.
struct Deployment<'a> {
    terminal: &'a Terminal,
    arguments: &'a DeployArguments,
    stacks: &'a Stacks,
    stop: &'a Stop,
    release: &'a Release,
    artifacts: &'a Artifacts,
}

impl Deployment<'_> {
    fn stack(&self) -> &str {
        &self.arguments.stack.stack
    }

    fn is_json(&self) -> bool {
        self.arguments.format.output == Format::Json
    }

    /// The template reaches CloudFormation by way of the bucket, because it is larger than a request may be. That of a folder has a name of its own
    /// there, and goes again: nobody has agreed yet to the release's files being there.
    async fn planned(&self, before: Option<&StackFacts>, settings: &Settings) -> Result<Option<Planned>, CliError> {
        self.terminal.passing(Tone::Moving, "  asking CloudFormation what changes");
        self.release.propose(self.artifacts).await?;
        let plan = Plan {
            stacks: self.stacks,
            stop: self.stop,
            stack: self.stack(),
            before,
            template: TemplateAt::Url(self.artifacts.url(self.release.proposed())),
            settings,
            tags: None,
        };
        let planned = plan.prepare().await;
        if let Err(error) = self.release.withdraw(self.artifacts).await {
            self.terminal.note(&format!("{error}; it does no harm there"));
        }
        self.terminal.clear();
        planned
    }

    fn show(&self, before: Option<&StackFacts>, planned: &Planned, settings: &Settings) {
        if self.is_json() {
            return;
        }
        let terminal = self.terminal;
        let (stack, region, release) = (self.stack(), &self.stacks.region, self.release.name());
        let what = if before.is_some_and(|stack| !stack.is_empty()) { "changes to" } else { "is made from" };
        terminal.lines(&format!("The stack {stack} in {region} {what} {release}:"));
        if !settings.changed.is_empty() {
            terminal.line("");
            for line in settings_lines(terminal, &settings.changed) {
                terminal.line(&line);
            }
        }
        terminal.line("");
        planned.show(terminal);
        terminal.line("");
    }

    async fn deploy(&self, mut planned: Planned, settings: &Settings, existed: bool) -> Result<Exit, CliError> {
        let mut copied = Vec::new();
        let uploaded = self.release.upload(self.terminal, self.artifacts, self.stop, &mut copied).await;
        planned.besides = (!copied.is_empty())
            .then(|| format!("these files were copied to {}: {}", self.artifacts.uri(""), copied.join(", ")));
        if let Err(error) = uploaded {
            return Err(planned.undone(self.stacks, error).await);
        }
        let (changes, parameters) = as_json(&planned.changes, &settings.changed);
        let operation = planned.begin(self.stacks, self.stop).await?;
        let ended = operation.follow(self.terminal, self.stacks, self.stop, !self.is_json(), &self.again()).await?;
        if !ended.is_well() {
            let how = How { yes: self.arguments.yes, only_shows: false, is_json: self.is_json() };
            standing::offer_to_clear(self.terminal, self.stacks, self.stop, &operation, &ended, how).await?;
            return Err(CliError::NotNow(ended.problem("the deployment", self.stack(), &next_try(self.stack()))));
        }
        let stack = self.stacks.found(&operation.stack_id).await?.unwrap_or_default();
        if self.is_json() {
            let outputs: Map<String, Value> =
                stack.outputs.iter().map(|output| (output.name.clone(), output.value.clone().into())).collect();
            Terminal::result(&json!({
                "stack": stack.name, "status": stack.status, "changes": changes, "parameters": parameters, "outputs": outputs,
            }));
        } else {
            tell_end(self.terminal, &stack, &ended);
            self.terminal.next(&self.with_stack(if existed { "reveille doctor" } else { "reveille attach INSTANCE" }));
        }
        Ok(Exit::Done)
    }

    fn again(&self) -> String {
        self.with_stack("reveille deploy --follow")
    }

    fn with_stack(&self, command: &str) -> String {
        with_stack(command, self.stack())
    }
}

/// A command, for a stack that is not the usual one.
pub(super) fn with_stack(command: &str, stack: &str) -> String {
    if stack == crate::stack::USUAL { command.to_owned() } else { format!("{command} --stack {stack}") }
}

/// What comes back to a stack that CloudFormation is at work on, and what goes on when that has ended: no command changes it before.
pub(super) fn come_back(stack: &str, then: &str) -> String {
    format!("{}; when that has ended: {then}", with_stack("reveille deploy --follow", stack))
}

/// The command that deploys once more.
fn next_try(stack: &str) -> String {
    with_stack("reveille deploy --release ...", stack)
}

/// The same for whatever stack was followed: it may be one of `attach`, or of another program.
fn next_try_of(stack: &StackFacts, description: &str) -> String {
    let deletes = stack.status.starts_with("DELETE_");
    if description.starts_with(standing::OURS) {
        return if deletes { with_stack("reveille destroy", &stack.name) } else { next_try(&stack.name) };
    }
    let instance = stack.parameters.get("InstanceName").filter(|_| description.starts_with(standing::OF_AN_INSTANCE));
    let of = instance.and_then(|instance| Some((instance, stack.name.strip_suffix(instance)?.strip_suffix('-')?)));
    match of {
        Some((instance, of)) => {
            with_stack(&format!("reveille {} {instance}", if deletes { "detach" } else { "attach" }), of)
        }
        None => "do the same again".to_owned(),
    }
}

/// How it ended, and what other commands need of it.
fn tell_end(terminal: &Terminal, stack: &StackFacts, ended: &Ended) {
    let took = times::duration(ended.took);
    terminal.marked(Tone::Good, "✓", &format!("{} is {} after {took}", stack.name, stack.status));
    let shown = ["StateMachineArn", "RunsBucketName", "RunnerKey"];
    let shown = stack.outputs.iter().filter(|output| shown.contains(&output.name.as_str()));
    for output in shown {
        for line in labelled::lines(terminal, 17, &output.name, &output.value) {
            terminal.line(&line);
        }
    }
}

/// Comes back to what is under way.
async fn follow_only(terminal: &Terminal, arguments: &DeployArguments) -> Result<Exit, CliError> {
    let stacks = Stacks::of(&arguments.stack).await?;
    let name = &arguments.stack.stack;
    let stop = Stop::listening();
    let stack = stacks.existing(name).await?;
    if stack.is_empty() {
        return Err(CliError::NotNow(format!(
            "nothing is under way on the stack {name}: it is {}, which says that somebody prepared its first change and has not agreed to it yet; to deploy: {}",
            stack.status,
            next_try(name)
        )));
    }
    let is_json = arguments.format.output == Format::Json;
    let again = with_stack("reveille deploy --follow", name);
    let operation = Operation::under_way(&stacks, &stack).await?;
    let ended = operation.follow(terminal, &stacks, &stop, !is_json, &again).await?;
    let stack = stacks.found(&operation.stack_id).await?.unwrap_or_default();
    if is_json {
        Terminal::result(
            &json!({"stack": stack.name, "status": ended.status, "failure": ended.failure.as_ref().map(|it| &it.reason)}),
        );
    }
    if !ended.is_well() {
        // What failed is worth more than what the stack is.
        let description = stacks.description(&stack).await.unwrap_or_default();
        return Err(CliError::NotNow(ended.problem("the last change", name, &next_try_of(&stack, &description))));
    }
    if !is_json {
        tell_end(terminal, &stack, &ended);
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::{come_back, next_try_of};
    use crate::{clients::StackFacts, commands::deploy::standing::OF_AN_INSTANCE};

    #[test]
    fn the_next_try_is_the_command_whose_stack_it_is() {
        let stack = |name: &str, status: &str| StackFacts {
            name: name.to_owned(),
            status: status.to_owned(),
            parameters: [("InstanceName".to_owned(), "nightly".to_owned())].into(),
            ..StackFacts::default()
        };
        for (name, status, description, told) in [
            ("reveille", "UPDATE_ROLLBACK_COMPLETE", "Reveille: runs", "reveille deploy --release ..."),
            ("mine", "DELETE_FAILED", "Reveille: runs", "reveille destroy --stack mine"),
            ("reveille-nightly", "ROLLBACK_COMPLETE", OF_AN_INSTANCE, "reveille attach nightly"),
            ("mine-nightly", "DELETE_FAILED", OF_AN_INSTANCE, "reveille detach nightly --stack mine"),
            ("other", "ROLLBACK_COMPLETE", OF_AN_INSTANCE, "do the same again"),
            ("reveille-nightly", "ROLLBACK_COMPLETE", "A database", "do the same again"),
        ] {
            assert_eq!(next_try_of(&stack(name, status), description), told);
        }
        assert_eq!(
            come_back("reveille-nightly", "reveille attach nightly"),
            "reveille deploy --follow --stack reveille-nightly; when that has ended: reveille attach nightly"
        );
    }
}
