using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>The options of <c>volume find</c> and what they ask for.</summary>
internal sealed class VolumeFindOptions
{
    private readonly Option<string?> _name = new("--name", "-n")
    {
        HelpName = "GLOB",
        Description = "The last name matches: *, ?, [a-z] as in shells.",
    };

    private readonly Option<string?> _type = new("--type")
    {
        HelpName = "f|d|l|p|s|c|b",
        Description = "File, directory, symbolic link, fifo, socket, character or block device.",
    };

    private readonly Option<SizeRange?> _size = new("--size")
    {
        HelpName = "SIZE",
        Description = "The size in bytes.",
        CustomParser = ParseSize,
    };

    private readonly Option<AgeLimit?> _mtime = new("--mtime")
    {
        HelpName = "AGE",
        Description = "How long ago the contents were changed.",
        CustomParser = ParseAge,
    };

    private readonly Option<DateTimeOffset?> _newer = new("--newer")
    {
        HelpName = "WHEN",
        Description = "The contents were changed at this time or later.",
        CustomParser = ParseWhen,
    };

    private readonly Option<DateTimeOffset?> _older = new("--older")
    {
        HelpName = "WHEN",
        Description = "The contents were changed before this time.",
        CustomParser = ParseWhen,
    };

    private readonly Option<string?> _xattr = new("--xattr")
    {
        HelpName = "GLOB",
        Description = "Has an extended attribute with such a name, hidden ones included.",
    };

    private readonly Option<bool> _offline = new("--offline")
    {
        Description = "Has contents that are archived elsewhere, at least in part.",
    };

    private readonly Option<bool> _online = new("--online")
    {
        Description = "Is a regular file without such contents.",
    };

    /// <summary>Adds the options to a command.</summary>
    public VolumeFindOptions(Command command)
    {
        _ = _type.AcceptOnlyFromAmong("f", "d", "l", "p", "s", "c", "b");
        Option[] options =
        [
            _name, _type, _size, _mtime, _newer, _older, _xattr, _offline, _online, MaxDepth, EndsWithNul, IsJson,
        ];
        foreach (var option in options)
            command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetValue(_offline) && result.GetValue(_online))
                result.AddError("--offline and --online exclude each other");
            if (result.GetValue(EndsWithNul) && result.GetValue(IsJson))
                result.AddError("--print0 and --json exclude each other");
            if (result.GetValue(MaxDepth) < 0)
                result.AddError("--max-depth takes a number of levels, 0 or more");
        });
    }

    /// <summary>Levels below the start.</summary>
    public Option<int?> MaxDepth { get; } = new("--max-depth")
    {
        HelpName = "N",
        Description = "Levels below PATH to look at.",
    };

    /// <summary>Paths end with NUL.</summary>
    public Option<bool> EndsWithNul { get; } = new("--print0", "-0")
    {
        Description = "End every path with NUL instead of a line feed, for xargs -0.",
    };

    /// <summary>Output for programs.</summary>
    public Option<bool> IsJson { get; } = CliJson.Option("Print one JSON object a path.");

    /// <summary>What the command line asks for.</summary>
    /// <param name="parse">The command line.</param>
    /// <param name="time">The clock that ages are counted from.</param>
    public FindCriteria Read(ParseResult parse, TimeProvider time)
    {
        var size = parse.GetValue(_size) ?? new SizeRange(0, ulong.MaxValue);
        var minMtime = Nanoseconds(parse.GetValue(_newer)) ?? Int128.MinValue;
        var endMtime = Nanoseconds(parse.GetValue(_older)) ?? Int128.MaxValue;
        if (parse.GetValue(_mtime) is { } age)
        {
            var limit = Nanoseconds(time.GetUtcNow())!.Value - age.AgeNs;
            if (age.IsOlder)
                endMtime = Int128.Min(endMtime, limit);
            else
                minMtime = Int128.Max(minMtime, limit);
        }

        bool? isOffline = parse.GetValue(_online) ? false : null;
        return new FindCriteria
        {
            Name = Glob(parse.GetValue(_name)),
            Type = TypeOf(parse.GetValue(_type)),
            MinSizeBytes = size.Min,
            MaxSizeBytes = size.Max,
            MinMtimeNs = minMtime,
            EndMtimeNs = endMtime,
            Xattr = Glob(parse.GetValue(_xattr)),
            IsOffline = parse.GetValue(_offline) ? true : isOffline,
        };
    }

    private static NameGlob? Glob(string? pattern) => pattern is null ? null : new NameGlob(pattern);

    private static Int128? Nanoseconds(DateTimeOffset? when) => when is { } time
        ? (Int128)(time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) * 100
        : null;

    private static uint TypeOf(string? letter) => letter switch
    {
        "f" => FileMode.Regular,
        "d" => FileMode.Directory,
        "l" => FileMode.Symlink,
        "p" => FileMode.Fifo,
        "s" => FileMode.Socket,
        "c" => FileMode.CharDevice,
        "b" => FileMode.BlockDevice,
        _ => 0,
    };

    private static SizeRange? ParseSize(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        bool isMore = text.StartsWith('+');
        bool isLess = text.StartsWith('-');
        string? fault = CliNumbers.TryParseSize(isMore || isLess ? text[1..] : text, out ulong size);
        bool isEmpty = (isMore && size == ulong.MaxValue) || (isLess && size == 0);
        if (fault is not null || isEmpty)
        {
            result.AddError(fault ?? $"no file has a size of {text}");
            return null;
        }

        if (isMore)
            return new SizeRange(size + 1, ulong.MaxValue);
        return isLess ? new SizeRange(0, size - 1) : new SizeRange(size, size);
    }

    private static AgeLimit? ParseAge(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        long seconds = text.Length == 0 ? 0 : UnitSeconds(text[^1]);
        string digits = seconds == 0 ? text : text[..^1];
        bool isSigned = digits.StartsWith('+') || digits.StartsWith('-');
        if (!isSigned || !ulong.TryParse(
            digits.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out ulong count))
        {
            result.AddError($"invalid age: '{text}' (+7d is older than seven days, -12h younger than twelve hours)");
            return null;
        }

        var age = (Int128)count * (seconds == 0 ? 86400 : seconds) * 1_000_000_000;
        return new AgeLimit(age, digits[0] == '+');
    }

    private static long UnitSeconds(char unit) => unit switch
    {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        _ => 0,
    };

    private static DateTimeOffset? ParseWhen(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        const DateTimeStyles Style = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, Style, out var when))
            return when;
        result.AddError($"invalid time: '{text}' (2026-11-25 or 2026-11-25T12:30:00Z)");
        return null;
    }

    /// <summary>Sizes from Min to Max.</summary>
    private sealed record SizeRange(ulong Min, ulong Max);

    /// <summary>Older or younger than an age.</summary>
    private sealed record AgeLimit(Int128 AgeNs, bool IsOlder);
}
