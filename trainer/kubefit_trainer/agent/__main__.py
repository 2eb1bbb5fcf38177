"""`python -m kubefit_trainer.agent`."""

import sys

from kubefit_trainer.agent.starting import main

sys.exit(main())
