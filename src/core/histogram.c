/* SPDX-License-Identifier: MIT */
/* Reading histograms. Four buckets per power of two, from 16 ns on: a value is known within 12.5 %
 * of its bucket's middle. */
#include <edo/metrics.h>

uint64_t edo_histogram_limit(unsigned bucket)
{
    if (bucket == 0)
        return 16;
    if (bucket >= EDO_HISTOGRAM_BUCKETS - 1)
        return UINT64_MAX;
    unsigned exponent = 4 + (bucket - 1) / 4;
    return (uint64_t)(5 + (bucket - 1) % 4) << (exponent - 2);
}

uint64_t edo_histogram_quantile(const edo_histogram *h, double q)
{
    if (h->count == 0)
        return 0;
    double wanted = q <= 0 ? 0 : q >= 1 ? (double)h->count : q * (double)h->count;
    double seen = 0;
    for (unsigned i = 0; i < EDO_HISTOGRAM_BUCKETS; i++) {
        double n = (double)h->buckets[i];
        if (n == 0 || seen + n < wanted) {
            seen += n;
            continue;
        }
        uint64_t low = i == 0 ? 0 : edo_histogram_limit(i - 1);
        uint64_t high = edo_histogram_limit(i) < h->max ? edo_histogram_limit(i) : h->max;
        if (high <= low)
            return high;
        return low + (uint64_t)((double)(high - low) * (wanted - seen) / n);
    }
    return h->max;
}

uint64_t edo_histogram_mean(const edo_histogram *h)
{
    return h->count != 0 ? h->sum / h->count : 0;
}
