/*
 * pcm - raw samples without a header, as recorders write them into pipes, to
 * one mono signal.
 */
#ifndef SIGNAL_PCM_H
#define SIGNAL_PCM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"

/* How a sample is written. Integers have their full scale at 1. */
enum pcm_format {
    PCM_U8,    /* unsigned, 128 is 0 */
    PCM_S16LE, /* two's complement, least significant byte first */
    PCM_S24LE, /* the same with three bytes */
    PCM_S32LE, /* the same with four bytes */
    PCM_F32LE  /* IEEE floats, least significant byte first */
};

/* Their names in order, NULL at the end: "u8", "s16le", ... */
extern const char *const pcm_formats[];

/* Most channels. */
#define PCM_MAX_CHANNELS 64

/* A signal on its way; set the first three fields, leave the rest {0}. */
struct pcm {
    enum pcm_format format;        /* of a sample */
    size_t n_channels;             /* 1 to PCM_MAX_CHANNELS, interleaved */
    enum config_channels channels; /* what becomes the mono signal */
    unsigned char rest[4 * PCM_MAX_CHANNELS]; /* bytes of half a frame */
    size_t n_rest;                 /* bytes in rest */
    uint64_t n;                    /* mono samples so far */
    float *mono;                   /* (cap) samples, owned */
    size_t cap;                    /* room in mono */
    float *wide;                   /* (cap_wide) interleaved ones, owned */
    size_t cap_wide;               /* room in wide */
};

/* Bytes of a sample of all channels. */
size_t pcm_frame_size(const struct pcm *p);

/*
 * Takes the next n bytes, cut anywhere.
 *
 * x: (n_x) mono samples, the values that audio_stream() gives for a sound
 *    file of these samples; owned by p until the next call
 * Returns 0; -1 with ERR_DATA for a float that is no finite number.
 */
int pcm_add(struct pcm *p, const void *bytes, size_t n, const float **x,
            size_t *n_x, struct err *err) NODISCARD;

/* ERR_DATA if the bytes ended within a sample. */
int pcm_end(const struct pcm *p, struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void pcm_release(struct pcm *p);

#endif
