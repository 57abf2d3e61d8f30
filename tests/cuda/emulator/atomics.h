// Every atomic operation, by 4 blocks of 64 threads; T: int, unsigned, unsigned long long.
#pragma once

namespace lk::test {

inline constexpr int kAtomicThreads = 256;

// Thread i adds, takes the least and greatest of, and combines the bits of x[i]:
// result[kSum, kLeast, kMost, kAnd, kOr, kXor].
enum AtomicResult { kSum, kLeast, kMost, kAnd, kOr, kXor, kAtomicResults };
template <class T>
void combine_atomically(T* result, const T* x);
// T: float, double.
template <class T>
void add_atomically(T* result, const T* x);
// T: int, unsigned.
template <class T>
void subtract_atomically(T* result, const T* x);
// Of long long.
void order_atomically(long long* least, long long* most, const long long* x);
// old[i] = what thread i found when it put in x[i]; T: float too.
template <class T>
void exchange_atomically(T* place, T* old, const T* x);
// old[i] = the counter that thread i counted on, up or down.
void count_atomically(unsigned* up, unsigned* old_up, unsigned* down, unsigned* old_down,
                      unsigned most);
// A warp's lanes read the counter, then each tries to count it up from what it saw; won[i] = 1
// where thread i did. T: unsigned short too.
template <class T>
void compare_and_swap(T* counter, int* won);

}  // namespace lk::test
