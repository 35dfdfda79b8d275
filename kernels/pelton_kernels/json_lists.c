/* Lists of numbers in JSON text, straight to doubles. Plain C, called through ctypes, so that one
 * library serves every Python; json_lists.py has the reference and says what is read and what not.
 *
 * Only what is certain is read: each function says no to anything that is no JSON list of numbers,
 * and to numbers that the arithmetic below does not cover.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    MAX_DIMENSIONS = 8,
    MAX_DIGITS = 19, /* as many always fit 64 bits */
    MAX_EXPONENT_DIGITS = 4,
    LEAST_POWER = -342, /* 10^-343 times 19 digits is less than any double */
    MOST_POWER = 308,
    /* So far before it is read the text is asked for. It was written on another core, and processors
     * do not look ahead beyond a page: without, half of the time is waiting for memory. */
    AHEAD_BYTES = 2048,
};

static const uint64_t EXACT = UINT64_C(1) << 53; /* integers up to here are exact as doubles */

/* The upper 128 bits of 10^LEAST_POWER to 10^MOST_POWER, highest 64 first; rounded up below 1. */
static uint64_t powers[MOST_POWER - LEAST_POWER + 1][2];

void set_powers(const uint64_t *table)
{
    memcpy(powers, table, sizeof powers);
}

typedef struct {
    const char *at, *end;
    double *next;
    const double *stop;
    long lengths[MAX_DIMENSIONS + 1]; /* of the lists at each depth; -1: none has ended yet */
    int innermost;                    /* depth of the lists that hold numbers; -1: not known yet */
} Reader;

static inline bool is_digit(const char *at)
{
    return (unsigned char)(*at - '0') < 10;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static const uint64_t ASCII_ZEROS = 0x3030303030303030;
static const uint64_t TENS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

/* Return the number that eight digits are, the first in the lowest byte, each without its '0'. */
static inline uint64_t of_eight(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8); /* pairs of digits, then fours, then all */
    return ((digits & 0x000000FF000000FF) * (100 + (UINT64_C(1000000) << 32))
            + ((digits >> 16 & 0x000000FF000000FF) * (1 + (UINT64_C(10000) << 32))))
           >> 32;
}
#endif

/* Append the digits at `at` to `digits` (modulo 2^64) and return where they end; eight at a time
 * are checked and added up in one word, on machines that store its lowest byte first. How many the
 * last word has is no branch: it differs from number to number. */
static inline const char *append(const char *at, const char *end, uint64_t *digits)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; end - at >= 8; at += 8) {
        uint64_t eight;
        memcpy(&eight, at, 8);
        /* The lowest of these bits is at the first that is no digit; above it they say nothing. */
        uint64_t others = ((eight + 0x4646464646464646) | (eight - ASCII_ZEROS)) & 0x8080808080808080;
        eight -= ASCII_ZEROS;
        if (others) {
            int count = __builtin_ctzll(others) >> 3;
            eight = eight << 8 << (56 - 8 * count); /* zeros before the digits, nothing after them */
            *digits = *digits * TENS[count] + of_eight(eight);
            return at + count;
        }
        *digits = *digits * 100000000 + of_eight(eight);
    }
#endif
    while (at < end && is_digit(at))
        *digits = *digits * 10 + (uint64_t)(*at++ - '0');
    return at;
}

/* Set `bits` to those of the double nearest digits * 10^power, ties to even; no to a subnormal
 * number and to one that is too large.
 *
 * Mushtak and Lemire, "Fast number parsing without fallback", 2023 (doi:10.1002/spe.3198): the
 * digits, 64 bits, times 128 bits of the power always decide the rounding, and a product is half
 * way between two doubles only for few powers, and then exactly. */
static inline bool nearest(uint64_t digits, long power, uint64_t *bits)
{
    *bits = 0;
    if (digits == 0)
        return true;
    if (power < LEAST_POWER || power > MOST_POWER)
        return false;
    const uint64_t *factor = powers[power - LEAST_POWER];
    int shift = __builtin_clzll(digits);
    digits <<= shift;
    unsigned __int128 product = (unsigned __int128)digits * factor[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if ((high & 0x1FF) == 0x1FF) { /* a carry would reach the mantissa */
        uint64_t rest = (uint64_t)((unsigned __int128)digits * factor[1] >> 64);
        low += rest;
        high += low < rest;
    }
    int top = (int)(high >> 63);
    uint64_t mantissa = high >> (top + 9); /* 53 bits, and one to round by */
    bool is_tie = low <= 1 && power >= -4 && power <= 23 && mantissa << (top + 9) == high;
    mantissa += (mantissa & 1) & !(is_tie && (mantissa & 3) == 1);
    mantissa >>= 1;
    /* log2(10) = 217706 / 2^16, near enough for these powers; 1023 is the exponent's bias. */
    int exponent = (int)(217706 * power >> 16) + 1023 + 63 + top - shift;
    exponent += (int)(mantissa >> 53); /* rounded up to the next power of two */
    if (exponent < 1 || exponent > 2046)
        return false;
    *bits = ((uint64_t)exponent << 52) | (mantissa & (EXACT / 2 - 1));
    return true;
}

/* Read a number as RFC 8259 defines it. */
static inline bool read_number(Reader *reader)
{
    const char *at = reader->at, *end = reader->end;
    if (at == end || reader->next == reader->stop)
        return false;
    __builtin_prefetch(at + AHEAD_BYTES);
    uint64_t is_negative = *at == '-';
    at += is_negative;
    const char *first = at;
    uint64_t digits = 0, bits;
    if (end - at > 1 && is_digit(at) && at[1] == '.') /* most fractions */
        digits = (uint64_t)(*at++ - '0');
    else
        at = append(at, end, &digits);
    long count = at - first;
    if (count == 0 || (count > 1 && *first == '0'))
        return false;
    bool is_integer = true;
    long power = 0;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = append(at, end, &digits);
        if (at == fraction)
            return false;
        count += at - fraction;
        power = fraction - at;
        is_integer = false;
    }
    if (count > MAX_DIGITS) {
        for (const char *zero = first; *zero == '0' || *zero == '.'; zero++)
            count -= *zero == '0';
        if (count > MAX_DIGITS)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool is_below_one = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        const char *start = at;
        uint64_t exponent = 0;
        at = append(at, end, &exponent);
        if (at == start || at - start > MAX_EXPONENT_DIGITS)
            return false;
        power += is_below_one ? -(long)exponent : (long)exponent;
        is_integer = false;
    }
    if (is_integer) {
        if (digits > EXACT)
            return false;
        is_negative &= digits != 0; /* the integer -0 is 0 */
    }
    if (!nearest(digits, power, &bits))
        return false;
    bits |= is_negative << 63;
    memcpy(reader->next++, &bits, sizeof bits);
    reader->at = at;
    return true;
}

#ifdef __SSE2__
enum {
    FRACTION_DIGITS = 18,
    FRACTION_BYTES = 33, /* looked at for one number: more than `-d.`, its digits, and `, ` */
};

static inline unsigned digit(const char *at)
{
    return (unsigned char)(*at - '0');
}

/* Return where the first comma of 31 characters is, or the one after them if there is none. */
static inline const char *next_comma(const char *at)
{
    const __m128i *sixteen = (const __m128i *)at, comma = _mm_set1_epi8(',');
    __m128i low = _mm_loadu_si128(sixteen), high = _mm_loadu_si128(sixteen + 1);
    unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(low, comma))
                     | (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(high, comma)) << 16;
    return at + __builtin_ctz(found | 1u << 31);
}

/* Set `number` to what `count` of sixteen characters and zeros for the others are; no if one of
 * them is no digit. */
static inline bool of_sixteen(const char *at, long count, uint64_t *number)
{
    static const char ones[FRACTION_DIGITS + 16] = /* 18 times, then zeros */
        {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    __m128i counted = _mm_loadu_si128((const __m128i *)(ones + FRACTION_DIGITS - count));
    __m128i digits = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)at), _mm_set1_epi8('0'));
    digits = _mm_and_si128(digits, counted);
    __m128i above = _mm_cmpgt_epi8(digits, _mm_set1_epi8(9)), below = digits; /* by its sign */
    if (_mm_movemask_epi8(_mm_or_si128(above, below)))
        return false;
    __m128i tens = _mm_and_si128(digits, _mm_set1_epi16(0xFF)), units = _mm_srli_epi16(digits, 8);
    __m128i twos = _mm_add_epi16(_mm_mullo_epi16(tens, _mm_set1_epi16(10)), units);
    __m128i fours = _mm_madd_epi16(twos, _mm_set1_epi32(100 | 1 << 16));
    fours = _mm_packs_epi32(fours, fours);
    __m128i eights = _mm_madd_epi16(fours, _mm_set1_epi32(10000 | 1 << 16));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights); /* the first is the lower half */
    *number = (both & UINT32_MAX) * 100000000 + (both >> 32);
    return true;
}

/* Read numbers for as long as they are a digit, a point, up to 18 more, and a comma after them, as
 * most are; return how many. What comes then is left to read_number.
 *
 * The way from a number to the next is short, as processors work on several at a time: only to
 * where the comma is. How many digits there are, which differs from number to number, is no
 * branch; all are read as if they were 18, so the power of ten is always the same. */
static inline long read_fractions(Reader *reader)
{
    const char *at = reader->at, *end = reader->end;
    double *next = reader->next;
    const double *stop = reader->stop;
    bool is_spaced = end - at >= FRACTION_BYTES && next_comma(at)[1] == ' ';
    for (; end - at >= FRACTION_BYTES && next < stop; next++) {
        const char *comma = next_comma(at);
        __builtin_prefetch(at + AHEAD_BYTES);
        if ((comma[1] == ' ') != is_spaced) /* a guess, so that nothing below waits for it */
            break;
        uint64_t is_negative = *at == '-', digits, bits;
        const char *first = at + is_negative, *fraction = first + 2;
        long count = comma - fraction;
        if (digit(first) > 9 || first[1] != '.' || count < 1 || count > FRACTION_DIGITS)
            break;
        if (!of_sixteen(fraction, count, &digits))
            break;
        /* All ones, or all zeros, if there is a seventeenth and an eighteenth. */
        unsigned has_17 = (unsigned)((16 - count) >> 63), has_18 = (unsigned)((17 - count) >> 63);
        unsigned tens = digit(fraction + 16) & has_17, units = digit(fraction + 17) & has_18;
        if (tens > 9 || units > 9)
            break;
        digits += digit(first) * UINT64_C(10000000000000000);
        if (!nearest(digits * 100 + tens * 10 + units, -FRACTION_DIGITS, &bits))
            break;
        bits |= is_negative << 63;
        memcpy(next, &bits, sizeof bits);
        at = comma + 1 + is_spaced;
    }
    long count = next - reader->next;
    reader->at = at;
    reader->next = next;
    return count;
}
#else
static inline long read_fractions(Reader *reader)
{
    (void)reader;
    return 0;
}
#endif

/* Return the next character that is no white space, 0 at the end. */
static inline char peek(Reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && *at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    reader->at = at;
    return at < reader->end ? *at : 0;
}

/* Read a list of numbers, or of such lists; at each depth all are of one length, and none empty. */
static bool read_list(Reader *reader, int depth)
{
    if (depth == MAX_DIMENSIONS || peek(reader) != '[')
        return false;
    reader->at++;
    bool is_nested = peek(reader) == '[';
    if (!is_nested && reader->innermost < 0)
        reader->innermost = depth;
    if (is_nested ? reader->innermost == depth : reader->innermost != depth)
        return false;
    int tries = is_nested ? 0 : 4; /* they cost more than they bring among numbers of other kinds */
    for (long length = 1;; length++) {
        if (tries) {
            long fractions = read_fractions(reader);
            length += fractions;
            tries -= fractions < 8;
        }
        peek(reader);
        if (!(is_nested ? read_list(reader, depth + 1) : read_number(reader)))
            return false;
        char next = peek(reader);
        reader->at++;
        if (next == ',')
            continue;
        if (next != ']')
            return false;
        if (reader->lengths[depth] < 0)
            reader->lengths[depth] = length;
        return reader->lengths[depth] == length;
    }
}

static Reader reader_into(double *numbers, long capacity)
{
    Reader reader = {.next = numbers, .stop = numbers + capacity, .innermost = -1};
    for (int depth = 0; depth <= MAX_DIMENSIONS; depth++)
        reader.lengths[depth] = -1;
    return reader;
}

/* Read the list that begins at text[start].
 *
 * Returns where it ends, -1 if it is not read. `lengths` (9 of them) are those of its lists by
 * depth, -1 beyond the last. */
long read_one(const char *text, long length, long start, double *numbers, long capacity,
              long *lengths)
{
    Reader reader = reader_into(numbers, capacity);
    reader.at = text + start;
    reader.end = text + length;
    if (!read_list(&reader, 0))
        return -1;
    memcpy(lengths, reader.lengths, sizeof reader.lengths);
    return reader.at - text;
}

/* Read the lists in `count` texts, each `prefix`, a list and `suffix`; what they hold is of one shape.
 * The texts are where `texts` says, or, where that is NULL, one after the other in `joined`.
 *
 * Returns 0, -1 if they are not read. `counts` are the lengths of the lists, `lengths` (9 of them)
 * from the second on those of what they hold. */
long read_texts(const char *joined, const char *const *texts, const long *text_lengths, long count,
                const char *prefix, long prefix_length, const char *suffix, long suffix_length,
                double *numbers, long capacity, long *counts, long *lengths)
{
    Reader reader = reader_into(numbers, capacity);
    for (long text = 0; text < count; text++) {
        const char *begin = texts ? texts[text] : joined;
        const char *end = begin + text_lengths[text] - suffix_length;
        joined = begin + text_lengths[text];
        if (end - begin < prefix_length || memcmp(begin, prefix, (size_t)prefix_length) != 0
            || memcmp(end, suffix, (size_t)suffix_length) != 0)
            return -1;
        reader.at = begin + prefix_length;
        reader.end = end;
        reader.lengths[0] = -1;
        if (!read_list(&reader, 0) || reader.at != end)
            return -1;
        counts[text] = reader.lengths[0];
    }
    memcpy(lengths, reader.lengths, sizeof reader.lengths);
    return 0;
}
