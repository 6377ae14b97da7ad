using System;
using System.Globalization;
using System.Threading.Tasks;
using Spectre.Console;

namespace ScoutFs.Cli;

/// <summary>Progress of a long command on standard error: a bar on a terminal, else a line every few seconds.</summary>
/// <remarks>Thread safe. Reporting is cheap enough to be done for every block.</remarks>
internal sealed class CliProgress
{
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(5);

    private readonly System.Threading.Lock _latch = new();
    private readonly CliConsole _console;
    private readonly ProgressContext? _bars;
    private readonly bool _isShown;

    // Guarded by _latch.
    private ProgressTask? _bar;
    private string _phase = string.Empty;
    private long _lastLine;

    private CliProgress(CliConsole console, bool isShown, ProgressContext? bars)
    {
        _console = console;
        _isShown = isShown;
        _bars = bars;
        _lastLine = console.Time.GetTimestamp();
    }

    /// <summary>Runs work that reports progress.</summary>
    /// <param name="console">Whose standard error to use.</param>
    /// <param name="isShown">False: nothing is shown (when results go to the same terminal, say).</param>
    /// <param name="work">The work.</param>
    public static async Task<T> RunAsync<T>(CliConsole console, bool isShown, Func<CliProgress, Task<T>> work)
    {
        if (!isShown || !console.IsErrorTerminal)
            return await work(new CliProgress(console, isShown, null));
        var ansi = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(console.Error) });
        return await ansi.Progress()
            .AutoClear(true)
            .Columns(
                new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(context => work(new CliProgress(console, isShown, context)));
    }

    /// <summary>Tells how far the work is.</summary>
    /// <param name="phase">What is being done, without markup.</param>
    /// <param name="done">Units done in this phase.</param>
    /// <param name="total">Units of this phase; 0: not known.</param>
    public void Report(string phase, long done, long total)
    {
        if (!_isShown)
            return;
        lock (_latch)
        {
            if (_bars is not null)
                ReportBar(_bars, phase, done, total);
            else
                ReportLine(phase, done, total);
        }
    }

    private void ReportBar(ProgressContext bars, string phase, long done, long total)
    {
        if (_bar is null || _phase != phase)
        {
            if (_bar is not null)
                _bar.Value = _bar.MaxValue;
            _bar = bars.AddTask(Markup.Escape(phase));
            _phase = phase;
        }

        if (total <= 0)
            _bar.Description = Markup.Escape(string.Create(CultureInfo.InvariantCulture, $"{phase}: {done}"));
        _bar.IsIndeterminate = total <= 0;
        _bar.MaxValue = Math.Max(total, 1);
        _bar.Value = Math.Min(done, Math.Max(total, 1));
    }

    private void ReportLine(string phase, long done, long total)
    {
        long now = _console.Time.GetTimestamp();
        if (_console.Time.GetElapsedTime(_lastLine, now) < LineInterval)
            return;
        _lastLine = now;
        string howFar = total > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{100.0 * done / total:F0}% ({done} of {total})")
            : done.ToString(CultureInfo.InvariantCulture);
        _console.Error.WriteLine($"{phase}: {howFar}");
    }
}
