"""devkube as the API server of a bench."""
import os
import subprocess
import time

from lib.cluster import Cluster
from lib.programs import Failed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class Devkube(Cluster):
    """devkube in a folder of its own. Its audit log is written as Kubernetes writes its own."""

    def __init__(self, program, folder):
        super().__init__(folder + "/cluster/kubeconfig", ROOT, folder)
        self.audit = folder + "/audit.log"
        with open(folder + "/devkube.log", "wb") as log:
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", program, f"--state={folder}/cluster", "--port=0", "--pods=false",
                 f"--audit={self.audit}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not os.path.exists(self.kubeconfig):
            if self.child.poll() is not None:
                raise Failed(f"devkube has not started: {log.name}")
            time.sleep(0.02)

    def keep_jobs(self):
        """No policy: no pod runs here, and a Job that jobdone completes is left alone."""

    def close(self):
        self.child.kill()
        self.child.wait()
