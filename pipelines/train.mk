# train.mk - from the root of a dataset to an evaluated model.
#
#   make -f pipelines/train.mk CONFIG=configs/example1.yml
#
# One experiment of a2b.mk beside us, which says what is made and when; a
# Makefile of your own includes that.
#
# Variables; none may hold blanks but SET, whose words are assignments:
#   CONFIG    YAML file of the experiment; the only one that is required
#   RUN       folder of everything that is made [runs/<name of CONFIG>]
#   ROOT      root of the dataset: a folder, file:// or s3://
#                                               [the roots in CONFIG]
#   MANIFEST  a manifest to split, instead of ROOT
#   SET       'key=value ...', each given to every program as --set
#   CACHE     folder where remote objects are kept
#   JOBS      threads of a program              [data.num_workers of CONFIG]
#   PLOT      folder for plots of the test recordings
#   BIN       folder of the programs            [PATH]
#
# Under `make -j2` the audio and the EDA branch run side by side.

.SECONDARY:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

ifeq ($(CONFIG),)
$(error CONFIG is empty: want CONFIG=file.yml)
endif
RUN ?= runs/$(basename $(notdir $(CONFIG)))
A2B_ROOT := $(ROOT)
A2B_MANIFEST := $(MANIFEST)
A2B_CACHE := $(CACHE)
A2B_JOBS := $(JOBS)
A2B_PLOT := $(PLOT)
A2B_BIN := $(BIN)

include $(dir $(lastword $(MAKEFILE_LIST)))a2b.mk
$(eval $(call a2b-experiment,$(RUN),$(CONFIG),$(SET)))

# all: everything, up to the evaluation
.PHONY: all
all: $(RUN)/eval.json $(RUN)/eval.txt

# manifests: the lists of recordings
# features: the features of all splits
# model: the trained model
.PHONY: manifests features model
manifests: $(call a2b-manifests-in,$(RUN))
features: $(call a2b-features-in,$(RUN))
model: $(RUN)/model/finished.json
