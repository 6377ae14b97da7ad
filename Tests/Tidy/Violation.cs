namespace ScoutFs.Tidy;

/// <summary>One place that breaks a rule, in the form that editors turn into a link.</summary>
/// <param name="Path">File, relative to the root, with forward slashes.</param>
/// <param name="Line">Line, from 1; 0 when the file as a whole is meant.</param>
/// <param name="Text">What is wrong and what to do.</param>
public sealed record Violation(string Path, int Line, string Text)
{
    /// <inheritdoc/>
    public override string ToString() => Line == 0 ? $"{Path}: {Text}" : $"{Path}:{Line}: {Text}";
}
