# demo.mk - the whole flow on a small planted dataset: `make demo`.
#
# The dataset is made by a2b-synth: songs, and skin conductance that follows
# their loudness by a known formula. A small TCN is trained on some songs and
# judged on others; the table at the end puts it between what a perfect model
# would reach and what simple guesses reach.
#
#   $(DEMO)/data/       the dataset, and planted.json with its optimum
#   $(DEMO)/            all that train.mk makes; eval.json is the result
#   $(DEMO)/plots/      prediction and truth of test recordings
#
# Variables:
#   DEMO    folder of everything above      [build/demo]
#   CONFIG  YAML file of the experiment     [configs/demo.yml beside us]
#   BIN     folder of the programs          [PATH]
#   JOBS    threads of a program            [data.num_workers of CONFIG]
#   SYNTH   more options of a2b-synth, '--null --preroll-s 20' for instance

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := demo

HERE := $(dir $(lastword $(MAKEFILE_LIST)))
DEMO ?= build/demo
CONFIG ?= $(HERE)../configs/demo.yml
ifneq ($(BIN),)
export PATH := $(BIN):$(PATH)
endif

# The last lines of the demo, from eval.json, planted.json and the manifest
# of the test split.
define TABLE
def row(name; r): "  \(name)" + " " * (36 - (name | length)) +
    if r == null then "undefined" else (r * 1000 | round / 1000 | tostring) end;
.[0] as $$eval | .[1].recordings as $$optimum | .[2:] as $$test |
def baseline(name; key): row(name; $$eval.baselines[key].pearson.mean);
"",
"Mean Pearson correlation over \($$test | length) recordings of " +
    "\($$test | map(.song) | unique | length) songs never seen in training:",
row("a perfect model (ceiling)";
    $$test | map($$optimum[.recording]) | add / length),
row("this model"; $$eval.metrics.pearson.mean),
baseline("the song's other listeners"; "other_listeners"),
baseline("ridge regression on MFCCs"; "ridge"),
baseline("mean curve over time"; "time_curve"),
baseline("this model, another song's audio"; "shuffled_audio"),
baseline("zero"; "zero")
endef
export TABLE

# demo: makes everything that is not there yet and prints the table
.PHONY: demo
demo: $(DEMO)/data/planted.json
	@$(MAKE) -f $(HERE)train.mk CONFIG=$(CONFIG) RUN=$(DEMO) \
		ROOT=$(DEMO)/data PLOT=$(DEMO)/plots $(if $(JOBS),JOBS=$(JOBS))
	@jq -rs "$$TABLE" $(DEMO)/eval.json $(DEMO)/data/planted.json \
		$(DEMO)/manifest/test.jsonl

# Other programs or rules make the whole demo anew.
$(DEMO)/data/planted.json: $(lastword $(MAKEFILE_LIST)) $(CONFIG) \
		$(if $(BIN),$(wildcard $(BIN)/a2b-*))
	rm -rf $(addprefix $(DEMO)/,data settings manifest features model plots)
	mkdir -p $(DEMO)
	a2b-synth --n-songs 60 --n-subjects 4 --seed 42 -v -o $(@D) \
		$(if $(JOBS),-j $(JOBS)) $(SYNTH)
