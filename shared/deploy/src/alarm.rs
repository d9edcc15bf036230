//! Alarms about step functions, and the topic that all alarms are sent to.

use serde_json::json;

use crate::name::LogicalId;
use crate::resource::{Resources, reference, sub};

/// The number of functions per alarm. CloudWatch takes ten metrics in an alarm's expression, and
/// each function brings two.
const FUNCTIONS_PER_ALARM: usize = 5;

/// Adds alarms on events that Lambda dropped before a step function saw them.
pub(crate) fn add_dropped<'a>(
    resources: &mut Resources,
    functions: impl Iterator<Item = &'a String>,
) {
    let functions: Vec<_> = functions.collect();
    for (number, some) in functions.chunks(FUNCTIONS_PER_ALARM).enumerate() {
        let mut metrics = vec![json!({
            "Id": "dropped", "Expression": "SUM(FILL(METRICS(), 0))", "ReturnData": true,
            "Label": "Events dropped",
        })];
        for (position, name) in some.iter().enumerate() {
            for (letter, metric) in
                [("a", "AsyncEventsDropped"), ("r", "RecursiveInvocationsDropped")]
            {
                metrics.push(json!({
                    "Id": format!("{letter}{position}"),
                    "ReturnData": false,
                    "MetricStat": {
                        "Stat": "Sum", "Period": 300,
                        "Metric": {
                            "Namespace": "AWS/Lambda", "MetricName": metric,
                            "Dimensions": [{
                                "Name": "FunctionName",
                                "Value": reference(LogicalId::of_function(name).as_str()),
                            }],
                        },
                    },
                }));
            }
        }
        resources.insert(
            format!("StepsDroppedAlarm{number}"),
            json!({
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": sub(format!("${{AWS::StackName}}-steps-dropped-{number}")),
                    "AlarmDescription": "Lambda dropped invocations of steps as too old or as a loop. The planner retries them when their lease expires.",
                    "Metrics": metrics,
                    "EvaluationPeriods": 1,
                    "Threshold": 0,
                    "ComparisonOperator": "GreaterThanThreshold",
                    "TreatMissingData": "notBreaching",
                },
            }),
        );
    }
}

/// Sends every alarm to the topic.
pub(crate) fn notify(resources: &mut Resources, topic_arn: &str) {
    for resource in resources.map.values_mut() {
        if resource["Type"] == "AWS::CloudWatch::Alarm" {
            resource["Properties"]["AlarmActions"] = json!([topic_arn]);
        }
    }
}
