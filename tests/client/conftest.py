"""The client is tested against a real ingress: its rig stands beside the ingress's own tests."""

import importlib.util
import sys
from pathlib import Path

_INGRESS = Path(__file__).parents[1] / "ingress"
sys.path.insert(0, str(_INGRESS))

_spec = importlib.util.spec_from_file_location("ingress_conftest", _INGRESS / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_ingress = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_ingress)
no_secret_is_logged = _ingress.no_secret_is_logged
