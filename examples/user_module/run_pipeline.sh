#!/usr/bin/env bash
# Runs the pipeline of this folder over a grid of parameters, and ranks the results.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

EVAL_DPATH=${1:-$PWD/pipeline_output}
kwdag schedule \
    --params="
        pipeline: 'example_user_module.pipelines.my_demo_pipeline()'
        matrix:
            stage1_predict.src_fpath:
                - README.rst
                - run_pipeline.sh
            stage1_predict.param1:
                - 123
                - 456
                - 32
                - 33
            stage1_evaluate.workers: 4
    " \
    --root_dpath="${EVAL_DPATH}" \
    --tmux_workers=2 \
    --backend=serial --skip_existing=1 \
    --run=1

kwdag aggregate \
    --pipeline='example_user_module.pipelines.my_demo_pipeline()' \
    --target "
        - $EVAL_DPATH
    " \
    --output_dpath="$EVAL_DPATH/full_aggregate" \
    --io_workers=0 \
    --eval_nodes="
        - stage1_evaluate
    " \
    --stdout_report="
        top_k: 100
        per_group: null
        macro_analysis: 0
        analyze: 0
        print_models: True
        reference_region: null
        concise: 1
        show_csv: 0
    " \
    --cache_resolved_results=False
