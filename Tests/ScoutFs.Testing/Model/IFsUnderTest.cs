using System;
using System.Threading.Tasks;

namespace ScoutFs.Testing.Model;

/// <summary>A mounted file system that operations are done on.</summary>
public interface IFsUnderTest : IAsyncDisposable
{
    /// <summary>Why it does nothing any more; empty while it works.</summary>
    string IsolationReason { get; }

    /// <summary>Does an operation; translates ids into its inode numbers.</summary>
    /// <param name="op">One that the model knows.</param>
    Task<FsAnswer> ApplyAsync(FsOp op);

    /// <summary>Unmounts in an orderly way: everything is durable after that.</summary>
    Task UnmountAsync();
}
