// SPDX-License-Identifier: EUPL-1.2
// Server::Start() against programs that only pretend to be a llama-server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "backend/http/scripted_server.h"
#include "backend/llama_server/server.h"
#include "backend/llama_server/testing/fake_server.h"
#include "backend/process/testing/support.h"

namespace rocm::llama_server {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::Contains;
using testing::FakeServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class StartTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(runtime());
    std::filesystem::permissions(runtime(), std::filesystem::perms::owner_all);
    fds_ = process::test::OpenFds();
  }
  // Whatever happened: no process, no socket, no folder, no descriptor.
  void TearDown() override {
    EXPECT_TRUE(process::test::OwnChildren().empty());
    EXPECT_TRUE(std::filesystem::is_empty(runtime()));
    EXPECT_EQ(process::test::OpenFds(), fds_);
  }

  std::string runtime() const { return dir_.path() + "/run"; }
  std::string file(const std::string& name) const { return dir_.path() + "/" + name; }

  ServerConfig Config(const std::string& body,
                      std::string_view help = testing::kCurrentHelp) const {
    FakeServer fake;
    fake.help = help;
    fake.body = body;
    fake.journal = file("journal");
    fake.Write(file("llama-server"));
    ServerConfig config;
    config.model_path = "/model.gguf";
    config.load.server_binary = file("llama-server");
    config.runtime_directory = runtime();
    return config;
  }
  // The command lines it was started with, probes left out.
  std::vector<std::string> Starts() const {
    std::vector<std::string> starts;
    std::ifstream journal(file("journal"));
    for (std::string line; std::getline(journal, line);) {
      if (line.starts_with("--model")) starts.push_back(line);
    }
    return starts;
  }
  static Error Refused(ServerConfig config) {
    const auto server = Server::Start(std::move(config));
    if (!server) return server.error();
    ADD_FAILURE() << "it started";
    return {};
  }

 private:
  process::test::TempDirectory dir_;
  std::size_t fds_ = 0;
};

TEST_F(StartTest, AnExitIsExplainedByTheLog) {
  const Error error = Refused(Config(
      "echo \"llama_model_load: error loading model: unknown model architecture: 'foo'\" >&2\n"
      "echo 'srv  llama_server: exiting due to model loading error' >&2\nexit 1"));
  EXPECT_EQ(error.code, ErrorCode::kModelUnsupported);
  EXPECT_THAT(error.message, AllOf(HasSubstr("/model.gguf"), HasSubstr("'foo'")));
  EXPECT_EQ(error.exit->exit_code, 1);
  EXPECT_THAT(error.log_tail, SizeIs(2));
  EXPECT_THAT(Starts(), SizeIs(1)) << "never retried";
}

TEST_F(StartTest, AGpuFaultCarriesItsSignal) {
  const Error error =
      Refused(Config("echo 'ROCm error: unspecified launch failure' >&2\nkill -ABRT $$"));
  EXPECT_EQ(error.code, ErrorCode::kDeviceError);
  EXPECT_EQ(error.exit->signal, SIGABRT);
  EXPECT_THAT(error.message, HasSubstr("unspecified launch failure"));
}

TEST_F(StartTest, TriesAnotherAddressOnlyWhenItCannotBind) {
  const Error error = Refused(
      Config("echo \"srv  start: couldn't bind HTTP server socket, hostname: x\" >&2\nexit 1"));
  EXPECT_EQ(error.code, ErrorCode::kPortInUse);
  const auto starts = Starts();
  ASSERT_THAT(starts, SizeIs(3));
  EXPECT_THAT(starts[0], HasSubstr(".sock"));
  EXPECT_THAT(starts[1], HasSubstr("--host 127.0.0.1 --port 0"));
  EXPECT_THAT(starts[2], HasSubstr("--host 127.0.0.1 --port 0"));
}

TEST_F(StartTest, SilenceEndsTheWait) {
  ServerConfig config = Config("echo 'srv  load_model: loading model' >&2\nexec sleep 1000");
  config.load.stall_timeout = milliseconds(200);
  const TimePoint start = Now();
  const Error error = Refused(std::move(config));
  EXPECT_EQ(error.code, ErrorCode::kStartTimeout);
  EXPECT_THAT(error.log_tail, Contains(HasSubstr("loading model")));
  EXPECT_LT(Now() - start, milliseconds(10'000));
  EXPECT_THAT(Starts(), SizeIs(1)) << "never retried";
}

TEST_F(StartTest, ChatterDoesNotOutlastTheHardLimit) {
  ServerConfig config = Config("while :; do echo working >&2; sleep 0.02; done");
  config.load.stall_timeout = milliseconds(300);
  config.load.load_timeout = milliseconds(900);
  const TimePoint start = Now();
  const Error error = Refused(std::move(config));
  EXPECT_EQ(error.code, ErrorCode::kStartTimeout);
  EXPECT_THAT(error.message, HasSubstr("900 ms"));
  EXPECT_GE(Now() - start, milliseconds(900));
}

TEST_F(StartTest, ALoadCanBeCancelled) {
  ServerConfig config = Config("exec sleep 1000");
  std::stop_source stop;
  config.load.stop = stop.get_token();
  config.load.on_progress = [&](const LoadProgress& progress) {
    if (progress.state == LoadProgress::State::kLoading) stop.request_stop();
  };
  EXPECT_EQ(Refused(std::move(config)).code, ErrorCode::kCancelled);
}

TEST_F(StartTest, ALoadThatIsCancelledBeforeItBeginsStartsNothing) {
  ServerConfig config = Config("exec sleep 1000");
  std::stop_source stop;
  stop.request_stop();
  config.load.stop = stop.get_token();
  EXPECT_EQ(Refused(std::move(config)).code, ErrorCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(file("journal")));
}

TEST_F(StartTest, ProgressIsReported) {
  ServerConfig config = Config("printf '..........' >&2\nexec sleep 1000");
  config.load.stall_timeout = milliseconds(300);
  std::vector<LoadProgress> seen;
  config.load.on_progress = [&](const LoadProgress& progress) { seen.push_back(progress); };
  static_cast<void>(Refused(std::move(config)));
  ASSERT_GE(seen.size(), 3u);
  EXPECT_EQ(seen[0].state, LoadProgress::State::kChecking);
  EXPECT_EQ(seen[1].state, LoadProgress::State::kSpawning);
  EXPECT_EQ(seen.back().state, LoadProgress::State::kLoading);
  ASSERT_TRUE(seen.back().fraction);
  EXPECT_DOUBLE_EQ(*seen.back().fraction, 0.1);
}

// Another server answers on the port that ours claims: its health, and even its models, are fine.
TEST_F(StartTest, AThiefIsNeverTakenForOurs) {
  http::ScriptedServer thief([](http::Peer& peer) {
    peer.ReadRequest();
    const std::string body = R"({"status":"ok","data":[{"id":"gpt"}]})";
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\nConnection: close\r\n\r\n" + body);
  });
  ServerConfig config = Config("echo 'srv  llama_server: listening on http://127.0.0.1:" +
                               std::to_string(thief.endpoint().port) + "' >&2\nexec sleep 1000");
  config.allow_unix_socket = false;
  const Error error = Refused(std::move(config));
  EXPECT_EQ(error.code, ErrorCode::kWrongServer);
  EXPECT_GT(thief.connections(), 1);
}

TEST_F(StartTest, TheChildsWorldIsPrepared) {
  ::setenv("LLAMA_ARG_HOST", "0.0.0.0", 1);
  ::setenv("LLAMA_API_KEY", "ours", 1);
  ::setenv("http_proxy", "http://proxy", 1);
  ::setenv("HIP_VISIBLE_DEVICES", "7", 1);
  ::setenv("HSA_OVERRIDE_GFX_VERSION", "11.0.0", 1);
  ServerConfig config = Config("env > '" + file("env") + "'\nexit 1");
  config.device_environment = {{"ROCR_VISIBLE_DEVICES", "GPU-1234"}};
  config.cleared_environment = {"HIP_VISIBLE_DEVICES"};
  config.load.environment = {{"GGML_X", "y"}};
  static_cast<void>(Refused(std::move(config)));
  for (const char* name : {"LLAMA_ARG_HOST", "LLAMA_API_KEY", "http_proxy", "HIP_VISIBLE_DEVICES",
                           "HSA_OVERRIDE_GFX_VERSION"}) {
    ::unsetenv(name);
  }
  std::vector<std::string> env;
  std::ifstream stream(file("env"));
  for (std::string line; std::getline(stream, line);) env.push_back(line);
  EXPECT_THAT(env,
              AllOf(Contains("ROCR_VISIBLE_DEVICES=GPU-1234"), Contains("GGML_X=y"),
                    Contains("GGML_NO_BACKTRACE=1"), Contains("HSA_OVERRIDE_GFX_VERSION=11.0.0"),
                    Contains(StartsWith("ROCM_BACKEND_RUN="))));
  EXPECT_THAT(
      env, AllOf(Not(Contains(StartsWith("LLAMA_ARG_"))), Not(Contains(StartsWith("http_proxy"))),
                 Not(Contains(StartsWith("HIP_VISIBLE_DEVICES")))));
  // A fresh key, in the environment and nowhere else.
  const auto key = std::ranges::find_if(
      env, [](const std::string& line) { return line.starts_with("LLAMA_API_KEY="); });
  ASSERT_NE(key, env.end());
  EXPECT_EQ(key->size(), std::string("LLAMA_API_KEY=").size() + 48);
  ASSERT_THAT(Starts(), SizeIs(1));
  EXPECT_EQ(Starts()[0].find(key->substr(14)), std::string::npos);
}

TEST_F(StartTest, OldBuildsGetTheKeyInAFile) {
  ServerConfig config = Config("while [ $# -gt 0 ]; do [ \"$1\" = --api-key-file ] && cp \"$2\" '" +
                                   file("key") + "' && stat -c %a \"$2\" >> '" + file("key") +
                                   "'; shift; done\nenv > '" + file("env") + "'\nexit 1",
                               testing::kMiddleHelp);
  static_cast<void>(Refused(std::move(config)));
  std::ifstream stream(file("key"));
  std::string key, mode;
  stream >> key >> mode;
  EXPECT_EQ(key.size(), 48u);
  EXPECT_EQ(mode, "600");
}

TEST_F(StartTest, BadSettingsAreRefusedBeforeAnythingStarts) {
  ServerConfig config = Config("exec sleep 1000");
  config.load.extra_args = {"--host", "0.0.0.0"};
  EXPECT_EQ(Refused(config).code, ErrorCode::kInvalidArgument);
  config.load.extra_args.clear();
  config.load.environment = {{"LLAMA_ARG_TOOLS", "all"}};
  EXPECT_EQ(Refused(config).code, ErrorCode::kInvalidArgument);
  config.load.environment.clear();
  config.load.server_binary = file("absent");
  EXPECT_EQ(Refused(config).code, ErrorCode::kBinaryNotFound);
  config.load.server_binary = file("llama-server");
  config.runtime_directory = file("no/such");
  EXPECT_EQ(Refused(config).code, ErrorCode::kIo);
  EXPECT_TRUE(Starts().empty());
}

TEST_F(StartTest, ALongRuntimePathMeansTcp) {
  ServerConfig config = Config("exit 1");
  config.runtime_directory = runtime() + "/" + std::string(80, 'x');
  static_cast<void>(Refused(config));
  std::filesystem::remove_all(config.runtime_directory);
  ASSERT_THAT(Starts(), SizeIs(1));
  EXPECT_THAT(Starts()[0], HasSubstr("--host 127.0.0.1 --port 0"));
}

TEST_F(StartTest, AServerThatWasNeverHandedOutNotifiesNobody) {
  ServerConfig config = Config("exit 1");
  int told = 0;
  config.on_exit = [&](const ExitInfo&) { ++told; };
  std::vector<std::string> lines;
  static_cast<void>(Refused(std::move(config)));
  EXPECT_EQ(told, 0);
}

}  // namespace
}  // namespace rocm::llama_server
