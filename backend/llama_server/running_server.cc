// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/running_server.h"

#include <algorithm>

namespace rocm::llama_server {

void LogReader::Read(std::string_view line) {
  const std::lock_guard lock(mutex_);
  ReadLogLine(line, facts_);
}

void LogReader::ReadPartial(std::string_view raw) {
  // llama.cpp prints one dot for each percent of the tensors it has read, on a line of their own.
  if (raw.find_first_not_of('.') != std::string_view::npos) return;
  const std::lock_guard lock(mutex_);
  fraction_ = std::min(static_cast<double>(raw.size()) / 100.0, 1.0);
}

LogFacts LogReader::facts() const {
  const std::lock_guard lock(mutex_);
  return facts_;
}

std::optional<double> LogReader::load_fraction() const {
  const std::lock_guard lock(mutex_);
  return fraction_;
}

bool ExitNotice::Arm() {
  const std::lock_guard lock(mutex_);
  armed_ = !ended_;
  return armed_;
}

void ExitNotice::Tell(const ExitInfo& exit) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (!armed_ || !callback_) return;
  }
  callback_(exit);
}

}  // namespace rocm::llama_server
