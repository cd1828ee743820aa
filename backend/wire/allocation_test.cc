// SPDX-License-Identifier: EUPL-1.2
// A program of its own, because it replaces the global operator new to count.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "backend/wire/testing.h"

namespace {
std::atomic<long> allocations{0};

void* Counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return Counted(size); }
void* operator new[](std::size_t size) { return Counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return Counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return Counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace rocm::wire {
namespace {

struct Stream {
  const char* file;
  Api api;
};

std::ostream& operator<<(std::ostream& out, const Stream& stream) { return out << stream.file; }

class SteadyStateTest : public testing::TestWithParam<Stream> {};

// Feeds the events before the last ones again and again, in pieces that split them, as a long
// stream would.
TEST_P(SteadyStateTest, AllocatesNothing) {
  const std::string body = BodyOf(ReadTestData(GetParam().file));
  const std::string event = body.substr(0, body.find("\n\n") + 2);
  std::string stream;
  for (int i = 0; i < 100; ++i) stream += event;
  SseDecoder sse({.report_error_lines = true});
  CompletionDecoder decoder(GetParam().api);
  CompletionDelta delta;
  long events = 0;
  const auto feed = [&](std::size_t piece) {
    for (std::string_view left = stream; !left.empty();) {
      const std::string_view part = left.substr(0, piece);
      left.remove_prefix(part.size());
      const auto status = sse.Feed(part, [&](const SseEvent& e) {
        decoder.Decode(e, delta);
        ++events;
        return true;
      });
      ASSERT_EQ(status, SseDecoder::Status::kMore);
    }
  };
  feed(97);  // the buffers grow
  feed(stream.size());
  events = 0;
  const long before = allocations.load();
  feed(97);
  feed(1);
  feed(stream.size());
  const long after = allocations.load();
  EXPECT_EQ(after - before, 0);
  EXPECT_EQ(events, 300);
  EXPECT_FALSE(decoder.failed());
}

INSTANTIATE_TEST_SUITE_P(Streams, SteadyStateTest,
                         testing::Values(Stream{"completion_stream.http", Api::kNative},
                                         Stream{"completion_utf8.http", Api::kNative},
                                         Stream{"completions_stream.http", Api::kCompletion},
                                         Stream{"comp_verbose.http", Api::kCompletion},
                                         Stream{"comp_logprobs.http", Api::kCompletion},
                                         Stream{"chat_stream.http", Api::kChat}));

TEST(SteadyState, TheCounterCounts) {
  const long before = allocations.load();
  const auto text = std::make_unique<std::string>(1000, 'x');
  EXPECT_EQ(allocations.load() - before, 2);
}

}  // namespace
}  // namespace rocm::wire
