//! Policies of a group. Each is judged as merged with the job's, and blamed on the block that was written.

use super::group::job_type_place;
use super::names::{at_least, not_negative};
use super::problem::{Place, Problem, Report};
use crate::duration::Duration;
use crate::group::{
    DelayFunction, Disconnect, Group, HealthCheck, Migrate, Reschedule, Restart, RestartMode, Update,
};
use crate::job::{JobSpec, JobType};

/// The policies of one group: `group` as written, `merged` in canonical form.
pub(super) fn policies(report: &mut Report, place: &Place, job: &JobSpec, group: &Group, merged: &Group) {
    let block = |key: &str, is_own: bool| {
        let layers = [place.key(key), Place::spec().key(key)];
        Block { blamed: layers[usize::from(!is_own)].clone(), layers }
    };
    let job_type = job.job_type;
    if let Some(merged) = &merged.update {
        update(report, &block("update", group.update.is_some()), job_type, merged);
    }
    if let Some(merged) = &merged.migrate {
        migrate(report, &block("migrate", group.migrate.is_some()), merged);
    }
    if let Some(merged) = &merged.reschedule {
        reschedule(report, &block("reschedule", group.reschedule.is_some()), merged);
    }
    if let Some(merged) = &merged.restart {
        restart(report, &block("restart", true), merged);
    }
    if let Some(block) = &group.disconnect {
        disconnect(report, &place.key("disconnect"), job_type, block);
    }
    belongs(
        report,
        place,
        job_type,
        [group.update.is_some(), group.migrate.is_some(), group.reschedule.is_some()],
    );
}

/// A policy that two blocks say together, the outer one filling the gaps of the inner one.
pub(super) struct Block {
    /// The block that is told what is wrong.
    pub(super) blamed: Place,
    /// Both of them.
    pub(super) layers: [Place; 2],
}

impl Block {
    fn key(&self, key: &str) -> Place {
        self.blamed.key(key)
    }

    /// Says that a problem comes from several fields together, whichever block says them.
    fn together(&self, problem: &mut Problem, keys: &[&str]) {
        for (layer, key) in self.layers.iter().flat_map(|layer| keys.iter().map(move |key| (layer, key))) {
            problem.depends_on(&layer.key(key));
        }
    }
}

/// Policies that jobs of this type do not have; `given` says whether update, migrate and reschedule were written.
pub(super) fn belongs(report: &mut Report, place: &Place, job_type: JobType, given: [bool; 3]) {
    let [has_update, has_migrate, has_reschedule] = given;
    let refuse = |report: &mut Report, key: &str, types: &str| {
        report
            .error(&place.key(key), format!("a {job_type} job has no `{key}`"))
            .hint(format!("only {types} jobs have"))
            .depends_on(&job_type_place());
    };
    if has_update && job_type.is_batch() {
        refuse(report, "update", "service and system");
    }
    if has_migrate && job_type != JobType::Service {
        refuse(report, "migrate", "service");
    }
    if has_reschedule && job_type.is_per_node() {
        refuse(report, "reschedule", "service and batch");
    }
}

fn update(report: &mut Report, block: &Block, job_type: JobType, update: &Update) {
    let (healthy, deadline, progress) =
        (update.min_healthy_time(), update.healthy_deadline(), update.progress_deadline());
    for (key, span) in [
        ("minHealthyTime", healthy),
        ("healthyDeadline", deadline),
        ("progressDeadline", progress),
        ("stagger", update.stagger()),
    ] {
        not_negative(report, &block.key(key), Some(span));
    }
    if healthy >= deadline {
        let message = format!("{deadline} is not longer than `minHealthyTime` ({healthy})");
        let problem = report.error(&block.key("healthyDeadline"), message);
        block.together(
            problem.hint("nothing could ever become healthy"),
            &["minHealthyTime", "healthyDeadline"],
        );
    }
    if !progress.is_zero() && deadline >= progress {
        let message = format!("{progress} is not longer than `healthyDeadline` ({deadline})");
        let problem = report.error(&block.key("progressDeadline"), message);
        block.together(
            problem.hint("make it longer, or 0 to fail with the first unhealthy instance"),
            &["healthyDeadline", "progressDeadline"],
        );
    }
    if update.auto_promote() && update.canary() == 0 {
        let problem = report.error(&block.key("autoPromote"), "there are no canaries to promote");
        block.together(problem.hint("set `canary`"), &["canary"]);
    }
    if job_type == JobType::System && update.canary() > 100 {
        report
            .error(&block.key("canary"), "for system jobs it is a percentage of the nodes, at most 100")
            .depends_on(&job_type_place());
    }
}

fn migrate(report: &mut Report, block: &Block, migrate: &Migrate) {
    let (healthy, deadline) = (migrate.min_healthy_time(), migrate.healthy_deadline());
    not_negative(report, &block.key("minHealthyTime"), Some(healthy));
    if healthy >= deadline {
        let message = format!("{deadline} is not longer than `minHealthyTime` ({healthy})");
        let problem = report.error(&block.key("healthyDeadline"), message);
        block.together(problem, &["minHealthyTime", "healthyDeadline"]);
    }
    if migrate.max_parallel() == 0 {
        report.error(&block.key("maxParallel"), "with 0 at a time a drain would never end");
    }
    if migrate.health_check() == HealthCheck::Manual {
        report
            .error(&block.key("healthCheck"), "nobody is asked during a drain")
            .allow(["checks", "task_states"]);
    }
}

/// The restart policy of a group or task.
pub(super) fn restart(report: &mut Report, block: &Block, restart: &Restart) {
    let (attempts, interval, delay) = (restart.attempts(), restart.interval(), restart.delay());
    not_negative(report, &block.key("delay"), Some(delay));
    at_least(report, &block.key("interval"), interval, Duration::from_seconds(5));
    if restart.mode() == RestartMode::Delay && attempts == 0 {
        let problem = report.error(&block.key("attempts"), "with 0 attempts there is nothing to delay");
        block.together(problem.hint("use mode `fail`, or at least one attempt"), &["attempts", "mode"]);
    }
    let needed = delay.times(i64::from(attempts));
    if needed > interval {
        let message = format!("{attempts} attempts with {delay} between them take {needed}");
        let problem = report.error(&block.key("interval"), message);
        problem.hint(format!("make the interval longer than {interval}, or allow fewer attempts"));
        problem.depends_on(&job_type_place());
        block.together(problem, &["attempts", "delay", "interval"]);
    }
}

fn reschedule(report: &mut Report, block: &Block, reschedule: &Reschedule) {
    let before = report.problems.len();
    spans(report, block, reschedule);
    // Whether attempts are counted, and how many seconds are between them by default, is the job type's to say.
    for problem in &mut report.problems[before..] {
        problem.depends_on(&job_type_place());
        block.together(problem, &["attempts", "unlimited", "delay", "delayFunction", "interval"]);
    }
}

fn spans(report: &mut Report, block: &Block, reschedule: &Reschedule) {
    if !reschedule.is_enabled() {
        return;
    }
    let (delay, longest) = (reschedule.delay(), reschedule.max_delay());
    at_least(report, &block.key("delay"), delay, Duration::from_seconds(5));
    let grows = match reschedule.delay_function() {
        DelayFunction::Constant => false,
        DelayFunction::Exponential | DelayFunction::Fibonacci => true,
    };
    if grows && longest < delay {
        report.error(&block.key("maxDelay"), format!("{longest} is shorter than `delay` ({delay})"));
    }
    if reschedule.is_unlimited() {
        return;
    }
    at_least(report, &block.key("interval"), reschedule.interval(), Duration::from_seconds(15));
    let needed = delay.times(i64::from(reschedule.attempts()));
    if needed > reschedule.interval() {
        report.error(
            &block.key("interval"),
            format!("{} attempts with {delay} between them take at least {needed}", reschedule.attempts()),
        );
    }
}

fn disconnect(report: &mut Report, place: &Place, job_type: JobType, disconnect: &Disconnect) {
    let is_set = |span: Option<Duration>| span.is_some_and(|span| !span.is_zero());
    not_negative(report, &place.key("lostAfter"), disconnect.lost_after);
    not_negative(report, &place.key("stopOnClientAfter"), disconnect.stop_on_client_after);
    if is_set(disconnect.lost_after) && is_set(disconnect.stop_on_client_after) {
        report
            .error(place, "`lostAfter` and `stopOnClientAfter` exclude each other")
            .hint("either the instance may come back, or its node stops it");
    }
    if is_set(disconnect.stop_on_client_after) && job_type.is_per_node() {
        report
            .error(&place.key("stopOnClientAfter"), format!("a {job_type} job cannot have it"))
            .depends_on(&job_type_place());
    }
}
