//! Stages that start from others: rules, groups, choices, included files.

use std::collections::HashMap;

use super::super::{CheckpointIdentity, Selection};
use super::*;
use crate::id::JobId;
use crate::job::{Stage, Upstream};
use crate::model::ModelSpec;

/// A sweep of two models on two data sets, at two learning rates, with this behind it.
fn with(more: &str) -> String {
    let dataset = |name: &str| {
        format!(
            "[dataset.{name}]\nformat = \"idx\"\npath = \"/d\"\nsplits = {{ train = \"train\", val = \
             \"test\" }}\n"
        )
    };
    let names = ["fashion", "letters", "digits", "fashion-without-val", "digits-in-colour"];
    let datasets: String = names.iter().map(|name| dataset(name)).collect();
    format!(
        "name = \"transfers\"\n{datasets}
[model.\"Mu/7\"]\nwidth = 64\ndepth = 4\nmlp = 256\nheads = 4\npatch = 7
[model.\"Nu/4\"]\nwidth = 64\ndepth = 2\nmlp = 256\nheads = 4\npatch = 4
[pretrain]
dataset = [\"fashion\", \"letters\"]
model = [\"Mu/7\", \"Nu/4\"]
learning_rate = [0.001, 0.003]
epochs = 3
resolution = 28
batch_size = 256
{more}"
    )
}

const TRANSFER: &str = "
[transfer]
upstream = UPSTREAM
dataset = [\"digits\", \"letters\"]
learning_rate = [0.01, 0.03]
steps = [500, 2500]
resolution = 28
";

fn transfer(upstream: &str) -> String {
    with(&TRANSFER.replace("UPSTREAM", upstream))
}

fn of_stage(jobs: &[Job], stage: Stage) -> Vec<&Job> {
    jobs.iter().filter(|job| job.spec.stage() == stage).collect()
}

/// Every pre-training has ended, with ever better validation accuracies.
fn all_ended(text: &str) -> Known {
    let jobs = expand(text);
    let pretrainings = of_stage(&jobs, Stage::Pretrain).into_iter().enumerate();
    let ended: HashMap<_, _> =
        pretrainings.map(|(place, job)| (job.id, Some(0.5 + 0.01 * place as f64))).collect();
    Known { ended, ..Known::default() }
}

fn expand_knowing(text: &str, known: &Known) -> (Vec<Job>, Vec<Selection>) {
    let sweep = parse(text).expect("valid");
    let found = found(&sweep);
    let mut expansion = sweep.expand(&found, known).expect("fits");
    let jobs = expansion.by_ref().collect();
    (jobs, expansion.selections().to_vec())
}

#[test]
fn all_upstream_jobs_are_adapted_at_every_point_and_waited_for() {
    let jobs = expand(&transfer("\"all\""));
    let (upstream, adapted) = (of_stage(&jobs, Stage::Pretrain), of_stage(&jobs, Stage::Transfer));
    assert_eq!((upstream.len(), adapted.len()), (8, 8 * 8));
    for job in &upstream {
        let children = adapted.iter().filter(|child| child.spec.parent() == Some(job.id));
        assert_eq!(children.count(), 8);
    }
    let first = adapted[0];
    assert_eq!((first.labels.model.as_str(), first.labels.dataset.as_str()), ("Mu/7", "digits"));
    let JobSpec::Transfer(spec) = &first.spec else { panic!("is a transfer") };
    assert_eq!(
        (spec.batch_size, spec.optimizer.momentum, spec.optimizer.warmup_steps),
        (512, 0.9, 100)
    );
    assert_eq!((spec.steps, first.spec.steps()), (500, 500));
}

#[test]
fn the_best_of_each_group_is_known_when_the_last_of_it_has_ended() {
    let text = transfer("{ select = \"best-val\", per = [\"model\", \"dataset\"] }");
    let (jobs, open) = expand_knowing(&text, &Known::default());
    assert_eq!(of_stage(&jobs, Stage::Transfer).len(), 0, "nothing is known yet");
    let groups: Vec<_> = open.iter().map(|selection| selection.group.as_str()).collect();
    assert_eq!(
        groups,
        [
            "model=Mu/7 dataset=fashion",
            "model=Nu/4 dataset=fashion",
            "model=Mu/7 dataset=letters",
            "model=Nu/4 dataset=letters"
        ]
    );
    assert!(open.iter().all(|selection| selection.candidates.len() == 2));
    let pending = open[0].pending.expect("is open");
    assert_eq!(pending.jobs, 8);
    assert!(pending.flops > 0.0);

    let mut known = all_ended(&text);
    let missing = open[3].candidates[1];
    let value = known.ended.remove(&missing);
    let (jobs, choices) = expand_knowing(&text, &known);
    assert_eq!(of_stage(&jobs, Stage::Transfer).len(), 3 * 8);
    assert_eq!(choices[0].chosen, Some(vec![open[0].candidates[1]]), "the later was better");
    assert_eq!(choices[3].chosen, None);

    known.ended.insert(missing, value.expect("was there"));
    let (jobs, choices) = expand_knowing(&text, &known);
    assert_eq!(of_stage(&jobs, Stage::Transfer).len(), 4 * 8);
    assert_eq!(choices[0].reason, "final_val 51.00 %, the next 50.00 %");
}

#[test]
fn what_was_chosen_before_stands() {
    let text = transfer("{ select = \"best-val\" }");
    let mut known = all_ended(&text);
    let (_, choices) = expand_knowing(&text, &known);
    let other = choices[0].candidates[2];
    known.chosen.insert(choices[0].key.clone(), vec![other]);
    let (jobs, _) = expand_knowing(&text, &known);
    let parents: Vec<_> =
        of_stage(&jobs, Stage::Transfer).iter().filter_map(|job| job.spec.parent()).collect();
    assert_eq!(parents, [other; 8]);
}

#[test]
fn the_top_three_of_those_that_a_rule_is_about_are_adapted() {
    let text = transfer("{ top = 3, where = { model = \"Nu/4\" } }");
    let (jobs, choices) = expand_knowing(&text, &all_ended(&text));
    assert_eq!(choices[0].rule, "top 3 by final_val of pretrain where model = Nu/4");
    assert_eq!(choices[0].candidates.len(), 4);
    assert_eq!(of_stage(&jobs, Stage::Transfer).len(), 3 * 8);
    assert!(of_stage(&jobs, Stage::Transfer).iter().all(|job| job.labels.model == "Nu/4"));
}

#[test]
fn an_evaluation_may_judge_transfers_by_what_those_started_from() {
    let judged = "[evaluate]\ndataset = \"digits\"\nupstream = { stage = \"transfer\", select = \"all\", \
                  where = { dataset = \"digits\", \"upstream.dataset\" = \"letters\" } }\n";
    let text = transfer("\"all\"") + judged;
    let jobs = expand(&text);
    // Four of the eight upstream jobs saw letters; four of their eight transfers are to digits.
    let judged = of_stage(&jobs, Stage::Evaluate);
    assert_eq!(judged.len(), 4 * 4);
    let JobSpec::Evaluate(spec) = &judged[0].spec else { panic!("is an evaluation") };
    assert_eq!(spec.resolution, 28, "that of the transfer");
}

#[test]
fn a_choice_among_transfers_waits_for_the_choice_of_their_upstream() {
    let judged = "[evaluate]\ndataset = \"digits\"\nupstream = { stage = \"transfer\", select = \
                  \"best-val\", where = { dataset = \"digits\" } }\n";
    let text = transfer("{ select = \"best-val\", per = [\"model\"] }") + judged;
    let mut known = all_ended(&text);
    let last = *known.ended.keys().max().expect("some");
    known.ended.remove(&last);
    let (jobs, choices) = expand_knowing(&text, &known);
    let transfers = of_stage(&jobs, Stage::Transfer);
    assert_eq!(transfers.len(), 8);
    known.ended.extend(transfers.iter().map(|job| (job.id, Some(0.9))));
    assert_eq!(choices.last().expect("three").reason, "not all candidates are known yet");
    let (_, choices) = expand_knowing(&text, &known);
    assert_eq!(choices.last().expect("three").chosen, None, "though all that are known have ended");
}

#[test]
fn an_imported_file_is_adapted_by_its_content_and_takes_its_model_along() {
    let text = transfer("{ checkpoint = \"b16.npz\" }").replace("resolution = 28\n[transfer]", "");
    let sweep = parse(&text).expect("valid");
    let file = |content: &str| CheckpointIdentity {
        channels: 1,
        classes: Some(21_843),
        content: content.to_owned(),
        gelu: crate::job::Gelu::Erf,
        model: ModelSpec { patch: 7, ..ModelSpec::named("Ti/16").expect("of the zoo") },
        name: "b16".to_owned(),
        resolution: 224,
    };
    let ids = |content: &str| {
        let mut found = found(&sweep);
        let path = Path::new("/sweeps/b16.npz").to_owned();
        assert_eq!(sweep.checkpoints().collect::<Vec<_>>(), [path.as_path()]);
        found.checkpoints.insert(path, file(content));
        let known = Known::default();
        let jobs: Vec<_> = sweep.expand(&found, &known).expect("fits").collect();
        let adapted = of_stage(&jobs, Stage::Transfer);
        assert_eq!(adapted.len(), 8);
        assert_eq!(adapted[0].spec.upstream(), Some(&Upstream::File(content.to_owned())));
        assert_eq!((adapted[0].labels.model.as_str(), adapted[0].spec.parent()), ("b16", None));
        adapted.iter().map(|job| job.id).collect::<Vec<JobId>>()
    };
    assert_eq!(ids("abc"), ids("abc"));
    assert_ne!(ids("abc"), ids("abd"));
}

#[test]
fn an_included_file_is_asked_for_as_if_it_stood_here() {
    let text = "name = \"both\"\ninclude = [\"upstream.toml\"]
[transfer]
upstream = { select = \"all\", where = { model = \"Mu/7\", epochs = 3 } }
dataset = \"fashion\"
learning_rate = 0.01
steps = 100
resolution = 28
";
    let jobs = expand(text);
    let upstream: Vec<_> = of_stage(&jobs, Stage::Pretrain).iter().map(|job| job.id).collect();
    let alone: Vec<_> = expand(GOOD).iter().map(|job| job.id).collect();
    assert_eq!(upstream, alone, "the same points are the same jobs");
    assert_eq!(of_stage(&jobs, Stage::Transfer).len(), 8);
    let sweep = parse(text).expect("valid");
    let texts: Vec<_> = sweep.included().values().map(String::as_str).collect();
    assert_eq!(texts, [GOOD]);
}

#[test]
fn a_speed_is_measured_once_for_all_batch_sizes() {
    let text = "name = \"speed\"\n[throughput]\nmodel = [\"Ti/16\", \"S/16\"]\n\
                resolution = [224, 384]\nbatch_sizes = [64, 1, 8]\n";
    let jobs = expand(text);
    assert_eq!(jobs.len(), 4);
    let JobSpec::Throughput(spec) = &jobs[0].spec else { panic!("is a measurement") };
    assert_eq!(spec.batch_sizes, [1, 8, 64]);
    assert_eq!(jobs[0].labels.dataset, "none");
}

#[test]
fn independent_weight_decay_is_what_is_left_when_the_learning_rate_is_taken_out() {
    let text = GOOD.replace(
        "epochs = [3, 30]",
        "learning_rate = [1e-4, 1e-3]\nindependent_weight_decay = [1e-5, 1e-4]\nepochs = [3, 30]",
    );
    let decays: Vec<_> = expand(&text)
        .iter()
        .filter_map(|job| match &job.spec {
            JobSpec::Pretrain(spec) => Some(spec.optimizer.weight_decay),
            _ => None,
        })
        .collect();
    for (decay, expected) in decays.iter().take(8).step_by(2).zip([0.1, 1.0, 0.01, 0.1]) {
        assert!((decay - expected).abs() < 1e-12, "{decay}, not {expected}");
    }
}

#[test]
fn every_mistake_about_what_to_start_from_is_understood() {
    let transfer_of = |upstream: &str| transfer(upstream);
    let cases = [
        transfer_of("\"best\""),
        transfer_of("{ select = \"best-test\" }"),
        transfer_of("{ per = [\"model\"] }"),
        transfer_of("{ select = \"all\", top = 3 }"),
        transfer_of("{ top = 0 }"),
        transfer_of("{ select = \"best-val\", per = [\"modle\"] }"),
        transfer_of("{ select = \"all\", where = { model = \"Mu/8\" } }"),
        transfer_of("{ select = \"all\", where = { epochs = 30 } }"),
        transfer_of("{ stage = \"transfer\", select = \"all\" }"),
        transfer("\"all\"").replace("steps = [500, 2500]\n", ""),
        transfer("\"all\"").replace("resolution = 28\n", "resolution = 30\n"),
        transfer("\"all\"")
            .replace("\"digits\", \"letters\"]\nlearn", "\"digits-in-colour\"]\nlearn"),
        transfer("{ select = \"best-val\" }")
            .replace("[\"fashion\", \"letters\"]", "[\"fashion\", \"fashion-without-val\"]"),
        with(
            "[evaluate]\ndataset = \"fashion\"\nupstream = { stage = \"transfer\", select = \"all\" }\n",
        ),
        with(
            "[evaluate]\ndataset = \"digits-of-20\"\nupstream = \"all\"\n[dataset.digits-of-20]\n\
              format = \"idx\"\npath = \"/d\"\nsplits = { train = \"train\" }\n",
        ),
        transfer("\"all\"") + "[executor]\nkeep = \"best\"\n",
        transfer("\"all\"")
            + "[evaluate]\ndataset = \"digits\"\nupstream = { stage = \"transfer\", select = \"all\" }\n\
               [executor]\nkeep_transfers = \"none\"\n",
        "name = \"a\"\ninclude = \"nowhere.toml\"\n[noop]\ncount = 1\n".to_owned(),
        "name = \"a\"\ninclude = \"upstream.toml\"\n[dataset.fashion]\nformat = \"cifar\"\npath = \
         \"/other\"\nsplits = { train = \"train\" }\n[noop]\ncount = 1\n"
            .to_owned(),
        with("independent_weight_decay = 1e-4\nweight_decay = 0.1\n"),
        with("independent_weight_decay = 1e300\n").replace("[0.001, 0.003]", "[1e-3, 1e-300]"),
        transfer_of("{ select = \"best-test\", per = [\"modle\"] }"),
        "name = \"a\"\n[throughput]\nmodel = \"Ti/16\"\nbatch_sizes = []\n".to_owned(),
    ];
    let said: Vec<_> = cases
        .iter()
        .map(|text| {
            let lines = mistakes(text).into_iter().map(|(line, what, help)| {
                format!("line {line}: {what}\n    {}", help.unwrap_or_default())
            });
            lines.collect::<Vec<_>>().join("\n")
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_mistake_in_an_included_file_is_shown_in_that_file() {
    let errors = parse("name = \"a\"\ninclude = \"bad.toml\"\n[noop]\ncount = 1\n")
        .expect_err("the included file is wrong");
    assert_eq!(errors.text.name(), "/sweeps/bad.toml");
    assert_eq!(errors.mistakes()[0].to_string(), "`name` must be a string, not an integer");
}

#[test]
fn a_budget_of_an_included_file_wants_one_for_all_of_it() {
    let text = "name = \"both\"\ninclude = \"within-budget.toml\"\n[noop]\ncount = 1\n";
    let (line, what, help) = mistakes(text).remove(0);
    assert_eq!(line, 2);
    assert!(what.contains("`[budget]`, which holds for that file alone"), "{what}");
    assert!(help.is_some_and(|help| help.contains("an empty one limits nothing")));
    assert!(parse(&format!("{text}[budget]\nflops = 1e9\n")).is_ok());
    assert!(parse(&format!("{text}[budget]\n")).is_ok());
}
