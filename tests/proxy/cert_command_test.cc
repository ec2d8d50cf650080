#include "proxy/cert_command.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "proxy/cert_maker.h"

namespace postern {
namespace {

// What openssl, which shares no code with what is tested, says.
std::string Shell(const std::string& command) {
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), n);
  return output + (pclose(pipe) == 0 ? "" : "\nFAILED");
}

class CertCommand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "cert_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { Shell("rm -r " + folder_); }
  std::string File(const std::string& name) const { return folder_ + "/" + name; }
  std::string Text(const std::string& name) const {
    std::ifstream file(File(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Put(const std::string& name, const std::string& text) const {
    std::ofstream(File(name)) << text;
  }
  // The exit status of the program: 2 where the command line is wrong.
  static int Command(std::vector<std::string> words) {
    CLI::App app("", "postern");
    int status = 0;
    AddCertCommand(app, status);
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    try {
      app.parse(reversed);
    } catch (const CLI::ParseError&) {
      return 2;
    }
    return status;
  }
  std::vector<std::string> SelfSigned(std::vector<std::string> more) const {
    std::vector<std::string> words = {"cert",    "self-signed", "--key",
                                      File("k"), "--chain",     File("c")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::string folder_;
};

TEST_F(CertCommand, SelfSignedIsWhatOpensslTakes) {
  ASSERT_EQ(Command(SelfSigned({"--name", "Mail.example.com, *.example.com,192.0.2.7,::1"})), 0);
  EXPECT_NE(Shell("openssl verify -purpose sslserver -CAfile " + File("c") + " " + File("c"))
                .find(": OK"),
            std::string::npos);
  std::string text = Shell("openssl x509 -noout -text -in " + File("c"));
  EXPECT_NE(text.find("DNS:mail.example.com, DNS:*.example.com, IP Address:192.0.2.7, "
                      "IP Address:0:0:0:0:0:0:0:1"),
            std::string::npos)
      << text;
  for (const char* part : {"Version: 3", "CA:FALSE", "TLS Web Server Authentication", "prime256v1",
                           "ecdsa-with-SHA256", "CN = mail.example.com"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(Shell("openssl x509 -noout -pubkey -in " + File("c")),
            Shell("openssl pkey -pubout -in " + File("k")));
  EXPECT_NE(Shell("openssl x509 -noout -checkend 7689600 -in " + File("c")).find("not expire"),
            std::string::npos);  // 89 days
  EXPECT_EQ(Shell("openssl x509 -noout -checkend 7862400 -in " + File("c")).find("not expire"),
            std::string::npos);  // 91 days
  EXPECT_TRUE(Text("k").starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

TEST_F(CertCommand, KeyIsForItsOwnerAlone) {
  mode_t before = umask(0);
  EXPECT_EQ(Command(SelfSigned({"--name", "a.example"})), 0);
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(File("k").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  ASSERT_EQ(stat(File("c").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0644U);
  EXPECT_EQ(Shell("ls -A " + folder_), "c\nk\n");
}

TEST_F(CertCommand, RsaAndDays) {
  EXPECT_EQ(Command(SelfSigned({"--name", "a.example", "--rsa", "--days", "3"})), 0);
  std::string text = Shell("openssl x509 -noout -text -in " + File("c"));
  EXPECT_NE(text.find("Public-Key: (2048 bit)"), std::string::npos);
  EXPECT_NE(text.find("Digital Signature, Key Encipherment"), std::string::npos);
  EXPECT_EQ(Shell("openssl x509 -noout -checkend 345600 -in " + File("c")).find("not expire"),
            std::string::npos);
}

TEST_F(CertCommand, Request) {
  for (bool rsa : {false, true}) {
    std::vector<std::string> words = {"cert",   "request", "--key",  File("k"),
                                      "--csr",  File("r"), "--name", "mail.example,10.0.0.1",
                                      "--force"};
    if (rsa) words.push_back("--rsa");
    ASSERT_EQ(Command(words), 0);
    std::string text = Shell("openssl req -verify -noout -text -in " + File("r"));
    EXPECT_NE(text.find("verify OK"), std::string::npos) << text;
    EXPECT_NE(text.find("DNS:mail.example, IP Address:10.0.0.1"), std::string::npos);
    EXPECT_EQ(Shell("openssl req -noout -pubkey -in " + File("r")),
              Shell("openssl pkey -pubout -in " + File("k")));
  }
}

TEST_F(CertCommand, LeavesFilesThatAreThereAlone) {
  Put("k", "old key");
  EXPECT_EQ(Command(SelfSigned({"--name", "a.example"})), 1);
  EXPECT_EQ(Text("k"), "old key");
  EXPECT_EQ(Shell("ls -A " + folder_), "k\n");
  unlink(File("k").c_str());
  Put("c", "old chain");
  EXPECT_EQ(Command(SelfSigned({"--name", "a.example"})), 1);
  EXPECT_EQ(Shell("ls -A " + folder_), "c\n");
  // A link to nowhere is a file that is there, too.
  unlink(File("c").c_str());
  ASSERT_EQ(symlink("/nowhere", File("k").c_str()), 0);
  EXPECT_EQ(Command(SelfSigned({"--name", "a.example"})), 1);
}

TEST_F(CertCommand, ForceReplacesAndKeepsTheKeyClosed) {
  Put("k", "old key");
  Put("c", "old chain");
  chmod(File("k").c_str(), 0644);
  EXPECT_EQ(Command(SelfSigned({"--name", "a.example", "--force"})), 0);
  struct stat info {};
  ASSERT_EQ(stat(File("k").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_TRUE(Text("c").starts_with("-----BEGIN CERTIFICATE-----\n"));
}

TEST_F(CertCommand, WrongCommandLines) {
  EXPECT_EQ(Command({"cert"}), 2);
  EXPECT_EQ(Command({"cert", "self-signed"}), 2);
  EXPECT_EQ(Command(SelfSigned({})), 2);
  EXPECT_EQ(Command(SelfSigned({"--name", ""})), 2);
  EXPECT_EQ(Command(SelfSigned({"--name", "a,,b"})), 2);
  EXPECT_EQ(Command(SelfSigned({"--name", "a", "--days", "0"})), 2);
  EXPECT_EQ(Command(SelfSigned({"--name", "a", "--days", "x"})), 2);
  EXPECT_EQ(
      Command({"cert", "self-signed", "--name", "a", "--key", File("k"), "--chain", File("k")}), 2);
  EXPECT_EQ(Shell("ls -A " + folder_), "");
}

TEST_F(CertCommand, FolderThatIsNotThere) {
  EXPECT_EQ(
      Command({"cert", "self-signed", "--name", "a", "--key", File("x/k"), "--chain", File("c")}),
      1);
  EXPECT_EQ(
      Command({"cert", "self-signed", "--name", "a", "--key", File("k"), "--chain", File("x/c")}),
      1);
  EXPECT_EQ(Shell("ls -A " + folder_), "");
}

TEST(CertMaker, Names) {
  for (const char* name : {"mail.example", "localhost", "*.example.com", "a-b.c_d.example",
                           "xn--bcher-kva.example", "10.0.0.1", "::1", "2001:db8::25"}) {
    EXPECT_EQ(NameFault(name), "") << name;
  }
  for (const std::string& name :
       {std::string("a b"), std::string("a..b"), std::string(".a"), std::string("a."),
        std::string("-a"), std::string("a-"), std::string("*"), std::string("a.*.b"),
        std::string("*.*.b"),
        std::string("b\xC3\xBC"
                    "cher.example"),
        std::string("a:25"), std::string("[::1]"), std::string("a;DNS"), std::string(64, 'a'),
        std::string(300, 'a'), std::string("a\0b", 3), std::string("@section")}) {
    EXPECT_NE(NameFault(name), "") << name;
  }
  EXPECT_EQ(SplitNames("A, b ,a"), (std::vector<std::string>{"a", "b"}));
}

TEST(CertMaker, LongNamesAreNoCommonName) {
  auto key = MakeKey(KeyKindToMake::kEcdsaP256);
  std::string label(60, 'a');
  auto pem = SelfSignedPem(key.get(), {label + "." + label + ".example"},
                           std::chrono::system_clock::now(), 1);
  EXPECT_TRUE(pem);
}

}  // namespace
}  // namespace postern
