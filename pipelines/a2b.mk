# a2b.mk - rules for experiments, to include in a Makefile of your own.
#
#   include /usr/local/share/a2b/pipelines/a2b.mk
#
#   # features once, for several models
#   $(eval $(call a2b-features,work/pmemo,tcn.yml))
#   $(eval $(call a2b-model,runs/tcn,tcn.yml,work/pmemo))
#   $(eval $(call a2b-model,runs/wide,tcn.yml,work/pmemo,seed=1 train.max_epochs=20))
#   # or everything of one config in one folder
#   $(eval $(call a2b-experiment,runs/both,example3.yml))
#
#   all: runs/tcn/eval.json runs/wide/eval.json runs/both/eval.json
#
# The includer's default goal and shell are left as they are; what a failing
# recipe was making is deleted (.DELETE_ON_ERROR). Every artefact is a rule, every recipe one pipeline. The programs write aside and rename,
# so a call may be interrupted or killed at any time; the next call goes on,
# and a2b-train continues bit for bit. A call after everything is done does
# nothing. Under `make -j` branches, splits and models run side by side.
#
# A changed config, variable or program version makes anew what depends on
# it: another low-pass for the EDA leaves the MFCCs alone, another learning
# rate all features. A model whose settings or training features changed is
# set aside as model.1, model.2, ... and trained anew. What changes in a
# dataset is not seen: remove FOLDER/manifest to list it again.
#
# Functions, to be called with $(eval $(call ...)); no argument may hold
# blanks but SET, whose words are assignments as --set takes them (give it as
# a variable if there are commas in it):
#
#   a2b-features,FOLDER,CONFIG[,SET]
#     FOLDER/settings/*.yml           what the rules below depend on
#     FOLDER/manifest/SPLIT.jsonl     recordings of train, val and test
#     FOLDER/features/SPLIT.mfcc.a2b  songs as MFCC frames
#     FOLDER/features/SPLIT.eda.a2b   recordings on the same frame times
#
#   a2b-model,FOLDER,CONFIG,FEATURES[,SET]   FEATURES: folder of a2b-features
#     FOLDER/settings/train.yml       what the rules below depend on
#     FOLDER/batches.tsv              the batches in order, when asked for
#     FOLDER/model/                   checkpoints, metrics.jsonl, finished.json
#     FOLDER/eval.json, eval.txt      scores on the test split, and baselines
#     FOLDER/eval.html                the same as a page with pictures
#     FOLDER/model.onnx               the best checkpoint, when asked for
#
#   a2b-experiment,FOLDER,CONFIG[,SET]
#     both of them in one folder
#
# Words for your own rules: $(call a2b-manifests-in,FOLDER) and
# $(call a2b-features-in,FOLDER) are the files of a2b-features.
#
# Variables:
#   A2B_ROOT      root of the dataset: a folder, file:// or s3://
#                                                [the roots in CONFIG]
#   A2B_MANIFEST  a manifest to split, instead of A2B_ROOT
#   A2B_CACHE     folder where remote objects are kept
#   A2B_JOBS      threads of a program           [data.num_workers of CONFIG]
#   A2B_PLOT      folder for plots of the test recordings
#   A2B_BIN       folder of the programs         [PATH]

ifneq ($(A2B_BIN),)
export PATH := $(A2B_BIN):$(PATH)
endif

# The goal of a call without one is the includer's business.
a2b-goal := $(.DEFAULT_GOAL)

# A target whose recipe failed is not there.
.DELETE_ON_ERROR:

# The parts of a dataset.
a2b-splits := train val test

# What every program is given: $(call a2b-common,CONFIG,SET).
a2b-common = -c $(1) $(foreach s,$(2),--set '$(s)') \
	$(if $(A2B_JOBS),-j $(A2B_JOBS))

# The manifests and the feature files below a folder.
a2b-manifests-in = $(a2b-splits:%=$(1)/manifest/%.jsonl)
a2b-features-in = $(a2b-splits:%=$(1)/features/%.mfcc.a2b) \
	$(a2b-splits:%=$(1)/features/%.eda.a2b)
# Both branches of one split: $(call a2b-split,FOLDER,train).
a2b-split = $(1)/features/$(2).mfcc.a2b $(1)/features/$(2).eda.a2b

# FORCE: the settings are looked at in every call
.PHONY: a2b-force
a2b-force:

# Ends a recipe that prints settings: the target changes only with its text.
a2b-if-new = > $$@.new; cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@

# The rules of a2b-features; the words of their first lines are arguments.
define a2b-features
a2b-goal := $$(.DEFAULT_GOAL)
$(1)/%: private SHELL := /bin/bash

$(1)/settings/index.yml: a2b-force
	@mkdir -p $$(@D)
	@set -eo pipefail; { a2b-index --version; \
		echo "# source: $(or $(A2B_MANIFEST),$(A2B_ROOT))"; \
		a2b-index $(call a2b-common,$(2),$(3)) --print-config | sed -n \
		-e '/^datasets:/,/^features:/p' -e '/^  [a-z]*_datasets:/p'; } \
		$(a2b-if-new)

$(1)/settings/mfcc.yml: a2b-force
	@mkdir -p $$(@D)
	@set -eo pipefail; { a2b-mfcc --version; \
		a2b-mfcc $(call a2b-common,$(2),$(3)) --print-config \
		| grep -E '^  (preset|audio_)'; } $(a2b-if-new)

$(1)/settings/eda.yml: a2b-force
	@mkdir -p $$(@D)
	@set -eo pipefail; { a2b-eda --version; \
		a2b-eda $(call a2b-common,$(2),$(3)) --print-config \
		| grep -E '^  (preset|audio_|eda_|filter_)'; } $(a2b-if-new)

$(call a2b-manifests-in,$(1)): $(1)/manifest/%.jsonl: \
		$(1)/settings/index.yml $(A2B_MANIFEST)
	@mkdir -p $$(@D)
	a2b-index $(call a2b-common,$(2),$(3)) --split $$* -o $$@ \
		$(or $(A2B_MANIFEST),$(A2B_ROOT))

$(a2b-splits:%=$(1)/features/%.mfcc.a2b): $(1)/features/%.mfcc.a2b: \
		$(1)/manifest/%.jsonl $(1)/settings/mfcc.yml
	@mkdir -p $$(@D)
	set -o pipefail; a2b-fetch $(call a2b-common,$(2),$(3)) \
		$(if $(A2B_CACHE),--cache $(A2B_CACHE)) --only audio < $$< | \
		a2b-mfcc $(call a2b-common,$(2),$(3)) -o $$@

$(a2b-splits:%=$(1)/features/%.eda.a2b): $(1)/features/%.eda.a2b: \
		$(1)/manifest/%.jsonl $(1)/settings/eda.yml
	@mkdir -p $$(@D)
	set -o pipefail; a2b-fetch $(call a2b-common,$(2),$(3)) \
		$(if $(A2B_CACHE),--cache $(A2B_CACHE)) --only eda < $$< | \
		a2b-eda $(call a2b-common,$(2),$(3)) -o $$@
.DEFAULT_GOAL := $$(a2b-goal)
endef

# The beginning of the recipe that trains: sets the model of other settings
# or features aside. The end of a feature file holds a digest of all of it.
# $(call a2b-set-aside,FOLDER,FEATURES)
define a2b-set-aside
	@set -eo pipefail; { cat $(1)/settings/train.yml; for f in \
		$(call a2b-split,$(2),train) $(call a2b-split,$(2),val); do \
		tail -c 65536 $$$$f | cksum; done; } > $(1)/settings/model.new
	@if cmp -s $(1)/settings/model.new $(1)/settings/model; then \
		rm $(1)/settings/model.new; \
	else \
		n=1; while [ -e $(1)/model.$$$$n ]; do n=$$$$((n + 1)); done; \
		if [ -e $(1)/model ]; then mv -v $(1)/model $(1)/model.$$$$n; fi; \
		mv $(1)/settings/model.new $(1)/settings/model; \
	fi
endef

# How models are scored: $(call a2b-evaluate,FOLDER,FEATURES).
a2b-evaluate = a2b-eval -m $(1)/model/best \
	$(if $(A2B_JOBS),-j $(A2B_JOBS)) \
	$(addprefix --train ,$(call a2b-split,$(2),train))

# The rules of a2b-model; the words of their first lines are arguments.
define a2b-model
a2b-goal := $$(.DEFAULT_GOAL)
$(1)/%: private SHELL := /bin/bash

$(1)/settings/train.yml: a2b-force
	@mkdir -p $$(@D)
	@set -e; a2b-train $(call a2b-common,$(2),$(4)) --print-config $(a2b-if-new)

$(1)/batches.tsv: $(call a2b-split,$(3),train) $(1)/settings/train.yml
	a2b-batch $(call a2b-common,$(2),$(4)) --dry-run -o $$@ \
		$(call a2b-split,$(3),train)

$(1)/model/finished.json: $(call a2b-split,$(3),train) \
		$(call a2b-split,$(3),val) $(1)/settings/train.yml
$(call a2b-set-aside,$(1),$(3))
	set -o pipefail; \
		a2b-batch $(call a2b-common,$(2),$(4)) \
		$(call a2b-split,$(3),train) | \
		a2b-train $(call a2b-common,$(2),$(4)) \
		$(addprefix --val ,$(call a2b-split,$(3),val)) \
		-o $$(@D) --resume
	@touch -c $$@

$(1)/model.onnx: $(1)/model/finished.json
	a2b-export -m $(1)/model/best -o $$@

$(1)/eval.json: $(1)/model/finished.json $(call a2b-split,$(3),train) \
		$(call a2b-split,$(3),test)
	$(call a2b-evaluate,$(1),$(3)) --json -o $$@ $(call a2b-split,$(3),test)

$(1)/eval.txt: $(1)/model/finished.json $(call a2b-split,$(3),train) \
		$(call a2b-split,$(3),test)
	$(call a2b-evaluate,$(1),$(3)) $(if $(A2B_PLOT),--plot $(A2B_PLOT)) \
		--report $(1)/eval.html -o $$@ $(call a2b-split,$(3),test)
.DEFAULT_GOAL := $$(a2b-goal)
endef

# The rules of a2b-experiment.
define a2b-experiment
$(call a2b-features,$(1),$(2),$(3))
$(call a2b-model,$(1),$(2),$(1),$(3))
endef

.DEFAULT_GOAL := $(a2b-goal)
