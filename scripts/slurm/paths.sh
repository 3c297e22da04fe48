# Where Slurm's programs are: in .tools/slurm, where scripts/setup unpacks them, else on PATH. Source it.
# shellcheck shell=bash disable=SC2034  # Used by those who source it.
unpacked=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)/.tools/slurm
PLUGINS="" STEPD="" UNPACKED=""
if [ -d "$unpacked" ]; then
  UNPACKED=$unpacked
  libraries=$unpacked/usr/lib/x86_64-linux-gnu
  # What was unpacked elsewhere than where it was built for has to be told where it is.
  PATH=$unpacked/usr/bin:$unpacked/usr/sbin:$PATH
  export LD_LIBRARY_PATH=$libraries/slurm-wlm:$libraries:$unpacked/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  PLUGINS=PluginDir=$libraries/slurm-wlm
  STEPD="-d $unpacked/usr/sbin/slurmstepd"
fi
PATH=$PATH:/usr/sbin:/sbin
