#!/usr/bin/env bash
# Makes a design folder for the AWS F2 kit out of the card and builds it. Cannot be run here (no kit, no Vivado):
#
#   cargo run --release -p wiresift-hdl -- emit --geometry line --out hdl/boards/f2/build
#   cd ../aws-fpga && source hdk_setup.sh && cd -
#   hdl/boards/f2/build.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${HDK_DIR:?source hdk_setup.sh of the aws-fpga kit first}"
test -f "$here/build/card_line.v" || { echo "$here/build/card_line.v is missing: see the head of this script" >&2; exit 2; }

# The kit finds a design by its folder: a copy of its template with our sources in place of its own.
cl=$HDK_DIR/cl/developer_designs/cl_wiresift
rm -rf "$cl"
cp -r "$HDK_DIR/cl/examples/CL_TEMPLATE" "$cl"
rm -f "$cl"/design/*
cp "$here"/cl_wiresift.sv "$here"/cl_id_defines.vh "$here"/read_tags.v "$here"/build/card_line.v "$cl/design/"
mv "$cl/build/scripts/synth_CL_TEMPLATE.tcl" "$cl/build/scripts/synth_cl_wiresift.tcl"
cp "$here/cl_timing_user.xdc" "$cl/build/constraints/cl_timing_user.xdc"

export CL_DIR=$cl
cd "$cl/build/scripts"
./aws_build_dcp_from_cl.py --cl cl_wiresift
echo "upload the tarball below $cl/build/checkpoints, then:"
echo "  aws ec2 create-fpga-image --name wiresift --input-storage-location Bucket=BUCKET,Key=KEY --logs-storage-location Bucket=BUCKET,Key=logs"
