// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace harness {

// The few calls of SQLite that the index needs. Not thread-safe.
class Database {
 public:
  [[nodiscard]] static rocm::Result<Database> Open(const std::filesystem::path& path);

  // One or several statements without results.
  rocm::Result<void> Execute(const std::string& sql);
  [[nodiscard]] rocm::Error LastError(std::string_view doing) const;
  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

// One prepared statement, bound by position from 1 in the order of the calls. A failure is kept and
// returned by Run() or Failed().
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);

  Statement& Bind(std::string_view text);
  Statement& Bind(std::int64_t value);
  Statement& Bind(std::optional<double> value);
  // Executes an INSERT or the like and makes the statement ready for the next one.
  rocm::Result<void> Run();

  // Rows of a query: while (Step()) …; then Failed().
  [[nodiscard]] bool Step();
  [[nodiscard]] std::string Text(int column) const;
  [[nodiscard]] std::int64_t Integer(int column) const;
  [[nodiscard]] std::optional<double> Real(int column) const;
  [[nodiscard]] std::optional<rocm::Error> Failed() const { return failure_; }

 private:
  void Note(int code);

  struct Finalise {
    void operator()(sqlite3_stmt* statement) const;
  };
  const Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalise> statement_;
  int next_ = 1;
  std::optional<rocm::Error> failure_;
};

}  // namespace harness
