"""The Abalone pipeline with the SageMaker Python SDK 2: `python pipeline.py upsert` or `start`.

Nothing here is about sidestep. With AWS's own endpoints the same file makes the pipeline in an
account.
"""

import sys

import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import JsonGet
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep

NAME = "abalone"
INSTANCE = "ml.m5.large"


def pipeline(session, role):
    """Returns the pipeline: preprocess, train, evaluate, and fail if the model is not good enough."""
    bucket = session.default_bucket()
    data = ParameterString("InputData", default_value=f"s3://{bucket}/abalone/abalone.csv")
    max_depth = ParameterInteger("MaxDepth", default_value=5)
    threshold = ParameterFloat("MseThreshold", default_value=6.0)
    cache = CacheConfig(enable_caching=True, expire_after="P30D")

    processor = SKLearnProcessor(
        framework_version="1.2-1", instance_type=INSTANCE, instance_count=1, role=role, sagemaker_session=session
    )
    names = ["train", "validation", "test"]
    preprocess = ProcessingStep(
        "Preprocess",
        step_args=processor.run(
            code="code/preprocess.py",
            arguments=["--seed", "7"],
            inputs=[ProcessingInput(source=data, destination="/opt/ml/processing/input")],
            outputs=[ProcessingOutput(output_name=it, source=f"/opt/ml/processing/{it}") for it in names],
        ),
        cache_config=cache,
    )
    sets = preprocess.properties.ProcessingOutputConfig.Outputs

    image = sagemaker.image_uris.retrieve("xgboost", session.boto_region_name, version="1.7-1")
    estimator = Estimator(
        image_uri=image,
        instance_type=INSTANCE,
        instance_count=1,
        role=role,
        output_path=f"s3://{bucket}/abalone/models",
        sagemaker_session=session,
    )
    estimator.set_hyperparameters(objective="reg:squarederror", num_round=50, max_depth=max_depth, eta=0.2, seed=7)
    train = TrainingStep(
        "Train",
        step_args=estimator.fit(
            {it: TrainingInput(sets[it].S3Output.S3Uri, content_type="text/csv") for it in ["train", "validation"]}
        ),
        cache_config=cache,
    )
    artifact = train.properties.ModelArtifacts.S3ModelArtifacts

    evaluator = ScriptProcessor(
        image_uri=image,
        command=["python3"],
        instance_type=INSTANCE,
        instance_count=1,
        role=role,
        sagemaker_session=session,
    )
    report = PropertyFile(name="Report", output_name="evaluation", path="evaluation.json")
    evaluate = ProcessingStep(
        "Evaluate",
        step_args=evaluator.run(
            code="code/evaluate.py",
            inputs=[
                ProcessingInput(source=artifact, destination="/opt/ml/processing/model"),
                ProcessingInput(source=sets["test"].S3Output.S3Uri, destination="/opt/ml/processing/test"),
            ],
            outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
        ),
        property_files=[report],
        cache_config=cache,
    )

    reject = FailStep("Reject", error_message="the model is not good enough")
    is_good = ConditionStep(
        "IsGood",
        conditions=[
            ConditionLessThanOrEqualTo(
                JsonGet(step_name="Evaluate", property_file=report, json_path="regression_metrics.mse.value"), threshold
            )
        ],
        if_steps=[],
        else_steps=[reject],
    )
    return Pipeline(
        NAME,
        parameters=[data, max_depth, threshold],
        steps=[preprocess, train, evaluate, is_good],
        sagemaker_session=session,
    )


def main():
    session = PipelineSession()
    role = sagemaker.get_execution_role(session)
    it = pipeline(session, role)
    if "upsert" in sys.argv:
        session.upload_data("data/abalone.csv", key_prefix="abalone")
    it.upsert(role)
    if "start" in sys.argv:
        execution = it.start()
        execution.wait(delay=1, max_attempts=900)
        print(execution.describe()["PipelineExecutionStatus"])
        for step in execution.list_steps():
            print(step["StepName"], step["StepStatus"], step.get("CacheHitResult", ""))


if __name__ == "__main__":
    main()
