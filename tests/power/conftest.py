"""What the power tests share with the crash tests."""

from tests.crash.conftest import _quiet, template

__all__ = ["_quiet", "template"]
