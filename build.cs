#:property PublishAot=false
#:property IncludeProjectNameInArtifactsPaths=true

// The build, in one file and with no tool but the SDK:
//
//     dotnet run build.cs [verb] [arguments]
//
// Without a verb it does what every change must pass: format check, build, tests. `help` lists verbs.

using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;

Directory.SetCurrentDirectory(Root());
const string Solution = "ScoutFs.Windows.sln";
const string Help = """
    dotnet run build.cs [verb] [arguments]

      (none)        build, format check, tests: what every change must pass
      build         build everything, Release
      test          run all tests; arguments go to the test programs: test --filter FullyQualifiedName~Btree
      format        rewrite the sources as .editorconfig asks
      format-check  fail when `format` would change something
      format-doc    make the tables of docs/FORMAT.md anew from the sources
      bench         run benchmarks; arguments go to BenchmarkDotNet: bench --filter *Crc*
      soak          simulate until a seed fails; arguments go to it: soak crash --seeds 1-100
      wine          run the unit tests built for Windows, under Wine when not on Windows
      pack          publish the command line for win-x64 and linux-x64 into artifacts/pack
      help          this list
    """;

try
{
    string[] rest = args.Length == 0 ? [] : args[1..];
    switch (args.FirstOrDefault())
    {
        case null: All(); break;
        case "format": Dotnet("format", Solution); break;
        case "format-check": FormatCheck(); break;
        case "format-doc": FormatDoc(); break;
        case "build": Build(); break;
        case "test": Test(rest); break;
        case "bench": Bench(rest); break;
        case "soak": Soak(rest); break;
        case "wine": Wine(); break;
        case "pack": Pack(); break;
        case "help": Console.WriteLine(Help); break;
        default: throw new BuildException($"There is no verb `{args[0]}`.\n\n{Help}");
    }

    return 0;
}
catch (BuildException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

void All()
{
    var watch = Stopwatch.StartNew();
    Build();
    FormatCheck();
    Test([]);
    Console.WriteLine($"All good after {watch.Elapsed.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture)} s.");
}

void Build() => Dotnet("build", Solution, "-c", "Release");

// After the build, which has restored the packages.
void FormatCheck() => Dotnet("format", Solution, "--verify-no-changes", "--no-restore");

// A filter leaves some of the test programs without a test (exit code 8), which is no failure.
void Test(string[] filter) => Dotnet(
[
    "test", "--solution", Solution, "-c", "Release", .. filter,
    .. filter.Length == 0 ? Array.Empty<string>() : ["--ignore-exit-code", "8"],
]);

void FormatDoc()
{
    Environment.SetEnvironmentVariable("TIDY_REWRITE", "1");
    Dotnet("test", "--project", "Tests/Tidy", "-c", "Release", "--filter", "FullyQualifiedName~Tables_Document");
}

void Bench(string[] filter)
{
    const string Project = "Benchmarks/ScoutFs.Benchmarks";
    if (!Directory.Exists(Project))
        throw new BuildException($"There are no benchmarks yet ({Project}).");
    Dotnet(["run", "--project", Project, "-c", "Release", "--", .. filter.Length == 0 ? ["--filter", "*"] : filter]);
}

void Soak(string[] arguments)
    => Dotnet(["run", "--project", "Tests/ScoutFs.Soak", "-c", "Release", "--", .. arguments]);

void Pack()
{
    foreach (string system in new[] { "win-x64", "linux-x64" })
        Publish("Admin/ScoutFs.Cli", system, $"artifacts/pack/{system}");
}

void Wine()
{
    Publish("Tests/ScoutFs.Volume.Tests", "win-x64", "artifacts/wine/tests");
    RunWindows(Path.GetFullPath("artifacts/wine/tests/ScoutFs.Volume.Tests.exe"));
}

void Publish(string project, string system, string folder)
    => Dotnet("publish", project, "-c", "Release", "-r", system, "--self-contained", "-o", folder);

void RunWindows(string program)
{
    if (OperatingSystem.IsWindows())
        Run(program);
    else
        Run("bash", "Tests/wine/run", program);
}

static void Dotnet(params string[] arguments) => Run("dotnet", arguments);

static void Run(string program, params string[] arguments)
{
    Console.WriteLine($"> {Path.GetFileName(program)} {string.Join(' ', arguments)}");
    try
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments))!;
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new BuildException($"{Path.GetFileName(program)} failed with exit code {process.ExitCode}.");
    }
    catch (System.ComponentModel.Win32Exception)
    {
        throw new BuildException($"{program} is not installed.");
    }
}

static string Root([CallerFilePath] string thisFile = "") => Path.GetDirectoryName(thisFile)!;

internal sealed class BuildException(string message) : Exception(message);
