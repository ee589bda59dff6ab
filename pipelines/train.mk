# train.mk - from the root of a dataset to an evaluated model.
#
#   make -f pipelines/train.mk CONFIG=configs/example1.yml
#
# Every artefact is a rule, every recipe one pipeline. The programs write
# aside and rename, so a call may be interrupted or killed at any time; the
# next call goes on, and a2b-train continues bit for bit. A call after
# everything is done does nothing.
#
#   $(RUN)/settings/*.yml           what the rules below depend on
#   $(RUN)/manifest/SPLIT.jsonl     recordings of train, val and test
#   $(RUN)/features/SPLIT.mfcc.a2b  songs as MFCC frames
#   $(RUN)/features/SPLIT.eda.a2b   recordings on the same frame times
#   $(RUN)/model/                   checkpoints, metrics.jsonl, finished.json
#   $(RUN)/eval.json, eval.txt      scores on the test split, and baselines
#   $(RUN)/eval.html                the same as a page with pictures
#
# A changed config, variable or program version makes anew what depends on
# it: another low-pass for the EDA leaves the MFCCs alone, another learning
# rate all features. Training refuses to go on in a run that began with other
# settings: give another RUN. What changes in the dataset is not seen: remove
# $(RUN)/manifest to list it again.
#
# Variables; none may hold blanks but SET, whose words are assignments:
#   CONFIG    YAML file of the experiment; the only one that is required
#   RUN       folder of everything above     [runs/<name of CONFIG>]
#   ROOT      root of the dataset: a folder, file:// or s3://
#                                            [the roots in CONFIG]
#   MANIFEST  a manifest to split, instead of ROOT
#   SET       'key=value ...', each given to every program as --set
#   CACHE     folder where remote objects are kept
#   JOBS      threads of a program           [data.num_workers of CONFIG]
#   PLOT      folder for plots of the test recordings
#   BIN       folder of the programs         [PATH]
#
# Under `make -j2` the audio and the EDA branch run side by side.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

ifeq ($(CONFIG),)
$(error CONFIG is empty: want CONFIG=file.yml)
endif
RUN ?= runs/$(basename $(notdir $(CONFIG)))
ifneq ($(BIN),)
export PATH := $(BIN):$(PATH)
endif

# What every program is given.
COMMON := -c $(CONFIG) $(foreach s,$(SET),--set '$(s)') \
	$(if $(JOBS),-j $(JOBS))
# What a2b-index lists.
SOURCE := $(or $(MANIFEST),$(ROOT))

SPLITS := train val test
MANIFESTS := $(SPLITS:%=$(RUN)/manifest/%.jsonl)
MFCC := $(SPLITS:%=$(RUN)/features/%.mfcc.a2b)
EDA := $(SPLITS:%=$(RUN)/features/%.eda.a2b)
MODEL := $(RUN)/model/finished.json
# Both branches of a split: $(call both,train).
both = $(RUN)/features/$(1).mfcc.a2b $(RUN)/features/$(1).eda.a2b

# all: everything, up to the evaluation
.PHONY: all
all: $(RUN)/eval.json $(RUN)/eval.txt

# manifests: the lists of recordings
# features: the features of all splits
# model: the trained model
.PHONY: manifests features model
manifests: $(MANIFESTS)
features: $(MFCC) $(EDA)
model: $(MODEL)

# FORCE: the settings are looked at in every call
.PHONY: FORCE
FORCE:

# The files of settings: each is the part of the resolved config that a rule
# depends on, and is written only when that part has changed.
replace_if_new = > $@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(RUN)/settings/index.yml: FORCE
	@mkdir -p $(@D)
	@{ a2b-index --version; echo "# source: $(SOURCE)"; \
		a2b-index $(COMMON) --print-config | sed -n \
		-e '/^datasets:/,/^features:/p' -e '/^  [a-z]*_datasets:/p'; } \
		$(replace_if_new)

$(RUN)/settings/mfcc.yml: FORCE
	@mkdir -p $(@D)
	@{ a2b-mfcc --version; a2b-mfcc $(COMMON) --print-config \
		| grep -E '^  (preset|audio_)'; } $(replace_if_new)

$(RUN)/settings/eda.yml: FORCE
	@mkdir -p $(@D)
	@{ a2b-eda --version; a2b-eda $(COMMON) --print-config \
		| grep -E '^  (preset|audio_|eda_|filter_)'; } $(replace_if_new)

$(RUN)/settings/train.yml: FORCE
	@mkdir -p $(@D)
	@a2b-train $(COMMON) --print-config $(replace_if_new)

$(MANIFESTS): $(RUN)/manifest/%.jsonl: $(RUN)/settings/index.yml $(MANIFEST)
	@mkdir -p $(@D)
	a2b-index $(COMMON) --split $* -o $@ $(SOURCE)

fetch = a2b-fetch $(COMMON) $(if $(CACHE),--cache $(CACHE)) --only

$(MFCC): $(RUN)/features/%.mfcc.a2b: $(RUN)/manifest/%.jsonl \
		$(RUN)/settings/mfcc.yml
	@mkdir -p $(@D)
	$(fetch) audio < $< | a2b-mfcc $(COMMON) -o $@

$(EDA): $(RUN)/features/%.eda.a2b: $(RUN)/manifest/%.jsonl \
		$(RUN)/settings/eda.yml
	@mkdir -p $(@D)
	$(fetch) eda < $< | a2b-eda $(COMMON) -o $@

$(MODEL): $(call both,train) $(call both,val) $(RUN)/settings/train.yml
	a2b-batch $(COMMON) $(call both,train) | a2b-train $(COMMON) \
		$(addprefix --val ,$(call both,val)) -o $(@D) --resume
	@touch -c $@

evaluate = a2b-eval -m $(RUN)/model/best $(if $(JOBS),-j $(JOBS)) \
	$(addprefix --train ,$(call both,train))
EVALUATED := $(MODEL) $(call both,train) $(call both,test)

$(RUN)/eval.json: $(EVALUATED)
	$(evaluate) --json -o $@ $(call both,test)

$(RUN)/eval.txt: $(EVALUATED)
	$(evaluate) $(if $(PLOT),--plot $(PLOT)) --report $(@:.txt=.html) \
		-o $@ $(call both,test)
