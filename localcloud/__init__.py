"""The local cloud: the whole system on one machine, from the template that is deployed on AWS.

with LocalCloud() as cloud:
    cloud.client("s3").put_object(Bucket=cloud.outputs["LandingBucketName"], Key="acme/1.wav", Body=b"...")
    cloud.wait_until_idle()
"""

from localcloud.cloud import LocalCloud
from localcloud.errors import InvocationError, LocalCloudError, StartError, TemplateError
from localcloud.events import native_event
from localcloud.pump import Pace
from localcloud.stack import LeftOut

__all__ = [
    "InvocationError",
    "LeftOut",
    "LocalCloud",
    "LocalCloudError",
    "Pace",
    "StartError",
    "TemplateError",
    "native_event",
]
