"""`python -m kubefit_trainer.agent`."""

import sys

from kubefit_trainer.agent.run import main

sys.exit(main())
