using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>check</c>: verifies a volume against every invariant of the format.</summary>
internal static class CheckCommand
{
    // Room for the largest volume with few log trees; the checker raises it when there are more.
    private const int DefaultCacheMib = 64;
    private const int MinCacheMib = 4;
    private const int MaxCacheMib = 65536;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var meta = CliArguments.Meta();
        var data = CliArguments.Data();
        var json = CliJson.Option("Print one JSON document instead of text.");
        var cache = new Option<int>("--cache-mib")
        {
            Description = $"Memory for cached blocks in MiB, {MinCacheMib} to {MaxCacheMib}.",
            DefaultValueFactory = _ => DefaultCacheMib,
        };
        var findings = new Option<int>("--max-findings")
        {
            Description = "Findings shown for each invariant; all are counted. 1 to 1000000.",
            DefaultValueFactory = _ => 100,
        };
        RequireRange(cache, MinCacheMib, MaxCacheMib);
        RequireRange(findings, 1, 1_000_000);
        var command = new CliCommand(
            "check",
            "Checks a volume against every invariant of the format. Reads only, so that a mounted or crashed volume "
            + "may be checked, too; then the state of the last commit is.");
        command.Add(meta);
        command.Add(data);
        command.Add(json);
        command.Add(cache);
        command.Add(findings);
        command.Examples.Add(new CliExample("check /dev/sdb /dev/sdc", "checks a volume"));
        command.Examples.Add(new CliExample("check meta.img data.img --json", "the same, for programs"));
        command.Notes.Add(
            "Exit codes: 0 clean, warnings may be listed; 1 the volume breaks the format; 2 it could not be checked: a "
            + "device cannot be read, is no volume, is the wrong one, or the volume changed meanwhile.");
        command.Notes.Add(
            "A finding says which invariant (a number of docs/FORMAT.md), in what, where, what is wrong and what it "
            + "means. Warnings are known deviations of volumes written by Linux, or harmless.");
        command.OnRun(
            (parse, console, cancellationToken) => RunAsync(
                console,
                parse.GetRequiredValue(meta),
                parse.GetRequiredValue(data),
                new CheckOptions
                {
                    CacheBytes = (long)parse.GetRequiredValue(cache) << 20,
                    MaxFindingsPerInvariant = parse.GetRequiredValue(findings),
                    Seed = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)),
                },
                parse.GetValue(json),
                cancellationToken),
            failureExitCode: (int)CheckResult.CouldNotCheck);
        return command;
    }

    private static void RequireRange(Option<int> option, int least, int greatest) =>
        option.Validators.Add(result =>
        {
            int value = result.GetValueOrDefault<int>();
            if (value < least || value > greatest)
                result.AddError($"{option.Name} takes a number from {least} to {greatest}.");
        });

    private static async Task<int> RunAsync(
        CliConsole console,
        string metaPath,
        string dataPath,
        CheckOptions options,
        bool isJson,
        CancellationToken cancellationToken)
    {
        await using var meta = await CliDevices.OpenForReadingAsync(metaPath, cancellationToken);
        await using var data = await CliDevices.OpenForReadingAsync(dataPath, cancellationToken);
        await CheckOperands.RequirePairAsync(meta, data, cancellationToken);
        var report = await CliProgress.RunAsync(
            console,
            isShown: true,
            progress => CheckAsync(meta, data, options, progress, cancellationToken));
        if (isJson)
            CliJson.WriteDocument(console, writer => Write(writer, report));
        else
            Print(console, report, metaPath);
        return (int)report.Result;
    }

    private static Task<CheckReport> CheckAsync(
        IBlockDevice meta,
        IBlockDevice data,
        CheckOptions options,
        CliProgress progress,
        CancellationToken cancellationToken) => VolumeChecker.CheckAsync(
            meta, data, options, new ProgressBar(progress), cancellationToken).AsTask();

    private static void Print(CliConsole console, CheckReport report, string metaPath)
    {
        foreach (var finding in report.Findings)
        {
            string severity = finding.Severity == FindingSeverity.Error ? "ERROR" : "warning";
            string where = finding.Where.Length > 0 ? $", {finding.Where}" : string.Empty;
            console.Print($"{severity} {finding.Invariant} in {finding.Structure}{where}: {finding.What}");
            console.Print($"    {finding.Meaning}");
        }

        PrintHidden(console, report.Errors, report, FindingSeverity.Error);
        PrintHidden(console, report.Warnings, report, FindingSeverity.Warning);
        foreach (string note in report.Notes)
            console.Print($"note: {note}");
        foreach (string sentence in report.NotChecked)
            console.Print($"not checked: {sentence}");
        foreach (var (name, value) in report.Statistics)
            console.Print(string.Create(CultureInfo.InvariantCulture, $"{value,14} {name}"));
        string verdict = report.Result switch
        {
            CheckResult.Clean => "clean",
            CheckResult.Findings when report.Errors.ContainsKey("I4") => "TRUNCATED or damaged",
            CheckResult.Findings => "DAMAGED",
            _ => "could not be checked",
        };
        console.Print(string.Create(
            CultureInfo.InvariantCulture,
            $"{metaPath}: {verdict}, {report.ErrorCount} errors, {report.WarningCount} warnings"));
    }

    private static void PrintHidden(
        CliConsole console, IReadOnlyDictionary<string, long> counts, CheckReport report, FindingSeverity severity)
    {
        foreach (var (invariant, count) in counts)
        {
            long shown = 0;
            foreach (var finding in report.Findings)
                shown += finding.Invariant == invariant && finding.Severity == severity ? 1 : 0;
            if (shown == count)
                continue;
            console.Print(string.Create(
                CultureInfo.InvariantCulture, $"    and {count - shown} more of {invariant}"));
        }
    }

    private static void Write(Utf8JsonWriter writer, CheckReport report)
    {
        writer.WriteStartObject();
        writer.WriteString("result", report.Result switch
        {
            CheckResult.Clean => "clean",
            CheckResult.Findings => "findings",
            _ => "could_not_check",
        });
        writer.WriteNumber("errors", report.ErrorCount);
        writer.WriteNumber("warnings", report.WarningCount);
        WriteCounts(writer, "errors_by_invariant", report.Errors);
        WriteCounts(writer, "warnings_by_invariant", report.Warnings);
        writer.WriteStartArray("findings");
        foreach (var finding in report.Findings)
        {
            writer.WriteStartObject();
            writer.WriteString("invariant", finding.Invariant);
            writer.WriteString("severity", finding.Severity == FindingSeverity.Error ? "error" : "warning");
            writer.WriteString("structure", finding.Structure);
            writer.WriteString("where", finding.Where);
            writer.WriteString("what", finding.What);
            writer.WriteString("meaning", finding.Meaning);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        WriteSentences(writer, "notes", report.Notes);
        WriteSentences(writer, "not_checked", report.NotChecked);
        WriteCounts(writer, "statistics", report.Statistics);
        writer.WriteEndObject();
    }

    private static void WriteCounts(
        Utf8JsonWriter writer, string property, IReadOnlyDictionary<string, long> counts)
    {
        writer.WriteStartObject(property);
        foreach (var (name, count) in counts)
            writer.WriteNumber(name, count);
        writer.WriteEndObject();
    }

    private static void WriteSentences(Utf8JsonWriter writer, string property, IReadOnlyList<string> sentences)
    {
        writer.WriteStartArray(property);
        foreach (string sentence in sentences)
            writer.WriteStringValue(sentence);
        writer.WriteEndArray();
    }

    // On the caller's thread; Progress<T> would post to the pool and show old numbers late.
    private sealed class ProgressBar(CliProgress progress) : IProgress<CheckProgress>
    {
        public void Report(CheckProgress value) => progress.Report("checking", value.BlocksDone, value.BlocksTotal);
    }
}
