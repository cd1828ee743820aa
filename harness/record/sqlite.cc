// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

namespace harness {

void Database::Close::operator()(sqlite3* handle) const { ::sqlite3_close_v2(handle); }

rocm::Result<Database> Database::Open(const std::filesystem::path& path) {
  sqlite3* handle = nullptr;
  const int code =
      ::sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Database database;
  database.handle_.reset(handle);
  if (code != SQLITE_OK) return rocm::Fail(database.LastError("open " + path.string()));
  ::sqlite3_busy_timeout(handle, 5'000);  // another index run may hold it for a moment
  return database;
}

rocm::Error Database::LastError(std::string_view doing) const {
  rocm::Error error;
  error.code = rocm::ErrorCode::kIo;
  error.message = fmt::format("index: cannot {}: {}", doing,
                              handle_ ? ::sqlite3_errmsg(handle_.get()) : "out of memory");
  return error;
}

rocm::Result<void> Database::Execute(const std::string& sql) {
  if (::sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return rocm::Fail(LastError("change the index"));
  }
  return {};
}

void Statement::Finalise::operator()(sqlite3_stmt* statement) const {
  ::sqlite3_finalize(statement);
}

Statement::Statement(const Database& database, std::string_view sql) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  Note(::sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement,
                            nullptr));
  statement_.reset(statement);
}

void Statement::Note(int code) {
  if (code != SQLITE_OK && !failure_) failure_ = database_.LastError("use the index");
}

Statement& Statement::Bind(std::string_view text) {
  Note(::sqlite3_bind_text64(statement_.get(), next_++, text.data(), text.size(), SQLITE_TRANSIENT,
                             SQLITE_UTF8));
  return *this;
}

Statement& Statement::Bind(std::int64_t value) {
  Note(::sqlite3_bind_int64(statement_.get(), next_++, value));
  return *this;
}

Statement& Statement::Bind(std::optional<double> value) {
  Note(value ? ::sqlite3_bind_double(statement_.get(), next_, *value)
             : ::sqlite3_bind_null(statement_.get(), next_));
  ++next_;
  return *this;
}

rocm::Result<void> Statement::Run() {
  if (!failure_ && ::sqlite3_step(statement_.get()) != SQLITE_DONE) {
    failure_ = database_.LastError("write to the index");
  }
  ::sqlite3_reset(statement_.get());
  next_ = 1;
  if (failure_) return rocm::Fail(*failure_);
  return {};
}

bool Statement::Step() {
  if (failure_) return false;
  const int code = ::sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) failure_ = database_.LastError("read the index");
  return false;
}

std::string Statement::Text(int column) const {
  const auto* text = ::sqlite3_column_text(statement_.get(), column);
  const int bytes = ::sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr
             ? std::string()
             : std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(bytes));
}

std::int64_t Statement::Integer(int column) const {
  return ::sqlite3_column_int64(statement_.get(), column);
}

std::optional<double> Statement::Real(int column) const {
  if (::sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return ::sqlite3_column_double(statement_.get(), column);
}

}  // namespace harness
