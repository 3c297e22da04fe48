//! What `scontrol --oneliner show job` says, read: one line a task, words of the form `Key=value`.

use super::queue::Listed;

/// Reads the lines of tasks that are or were under way; what waits as a whole is left out.
pub(super) fn read(text: &str) -> Vec<Listed> {
    text.lines().filter_map(task).collect()
}

fn task(line: &str) -> Option<Listed> {
    // Values with blanks in them, such as comments, come after what is wanted.
    let value = |key: &str| {
        line.split(' ')
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
            .map(str::to_owned)
    };
    let index: u32 = value("ArrayTaskId")?.parse().ok()?;
    // Slurm's word for none.
    (index < u32::MAX - 1).then_some(())?;
    Some(Listed {
        task: format!("{}_{index}", value("ArrayJobId")?),
        state: value("JobState")?,
        exit: value("ExitCode")?,
        node: value("NodeList").filter(|nodes| nodes != "(null)").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Slurm 22.05 writes it, shortened.
    #[test]
    fn exit_codes_are_read_from_the_controllers_records() {
        let text = "JobId=1 ArrayJobId=1 ArrayTaskId=4294967294 ArrayTaskThrottle=1 JobName=j JobState=PENDING \
                    Reason=JobArrayTaskLimit ExitCode=0:0 NodeList=\n\
                    JobId=1 ArrayJobId=1 ArrayTaskId=6-20%2 JobName=j JobState=PENDING ExitCode=0:0 NodeList=\n\
                    JobId=5 ArrayJobId=3 ArrayTaskId=1 JobName=a JobState=FAILED Reason=NonZeroExitCode \
                    ExitCode=75:0 ReqNodeList=(null) NodeList=n2 BatchHost=n2 Comment=JobState=x\n\
                    JobId=10 JobName=wrap JobState=RUNNING ExitCode=0:0 NodeList=n1\n";
        let expected = Listed {
            task: "3_1".to_owned(),
            state: "FAILED".to_owned(),
            exit: "75:0".to_owned(),
            node: "n2".to_owned(),
        };
        assert_eq!(read(text), [expected]);
    }
}
