/* A value kept within bounds. */
#ifndef WEIR_POLICY_WITHIN_H
#define WEIR_POLICY_WITHIN_H

static inline double weir__within(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

#endif
