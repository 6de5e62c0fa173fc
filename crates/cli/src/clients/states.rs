//! The names of the states of statemachines/notebook_run.asl.json that the command knows. Owns each name, once; never what a state means to a person.

pub(crate) const PREPARE: &str = "Prepare";
pub(crate) const ADMIT_RUN: &str = "AdmitRun";
pub(crate) const CHECK_INSTANCE: &str = "CheckInstance";
pub(crate) const IS_READY: &str = "IsReady";
pub(crate) const START_INSTANCE: &str = "StartInstance";
pub(crate) const WAIT_FOR_INSTANCE: &str = "WaitForInstance";
pub(crate) const AWAIT_RUN: &str = "AwaitRun";
pub(crate) const VERIFY_STOPPED: &str = "VerifyStopped";
pub(crate) const IS_STOPPED: &str = "IsStopped";
pub(crate) const WAIT_FOR_STOP: &str = "WaitForStop";
pub(crate) const CONCLUDE_RUN: &str = "ConcludeRun";
pub(crate) const IS_CONCLUDED: &str = "IsConcluded";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn each_name_is_one_of_the_definition() {
        let definition = include_str!("../../../../statemachines/notebook_run.asl.json");
        let definition: Value = serde_json::from_str(definition).unwrap();
        let constants = include_str!("states.rs").lines().filter(|line| line.starts_with("pub(crate) const "));
        let names: Vec<&str> = constants.map(|line| line.split('"').nth(1).unwrap()).collect();
        assert!(names.contains(&super::CONCLUDE_RUN));
        for name in names {
            assert!(definition["States"][name].is_object(), "the definition has no state {name}");
        }
        assert_eq!(definition["StartAt"], super::PREPARE);
    }
}
