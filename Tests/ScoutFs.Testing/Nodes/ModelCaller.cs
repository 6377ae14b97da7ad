using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Threading.Tasks;
using ScoutFs.Testing.Model;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Nodes;

/// <summary>A caller that does random operations below a directory of its own, and judges every answer.</summary>
public sealed class ModelCaller
{
    private const int RememberedOperations = 30;

    private readonly ModelFs _model;
    private readonly Workload _workload;
    private readonly Prng _prng;
    private readonly Queue<FsOp> _last = new();

    private ModelCaller(FileSystemDriver driver, ModelState start, Prng prng, WorkloadProfile profile)
    {
        Driver = driver;
        _model = new ModelFs(start);
        _prng = prng;
        _workload = new Workload(prng.Fork("workload"), profile);
    }

    /// <summary>Does the operations.</summary>
    public FileSystemDriver Driver { get; }

    /// <summary>The volume may be full: operations may end with NoSpace, having changed nothing.</summary>
    public bool MayBeFull { get; set; }

    /// <summary>Operations done.</summary>
    public long Done { get; private set; }

    /// <summary>Those of them that found no space.</summary>
    public long Refused { get; private set; }

    /// <summary>Creates a caller for a directory as it is.</summary>
    /// <param name="fs">The mounted file system.</param>
    /// <param name="home">Inode number of the directory.</param>
    /// <param name="prng">Decides everything.</param>
    /// <param name="profile">What the work is like.</param>
    public static async Task<ModelCaller> StartAsync(FileSystem fs, ulong home, Prng prng, WorkloadProfile profile)
    {
        var driver = new FileSystemDriver(fs, home);
        return new ModelCaller(driver, await driver.ReadAllAsync(), prng, profile);
    }

    /// <summary>Does operations; between them <paramref name="pause"/> now and then.</summary>
    public async Task RunAsync(int operations, Func<Task> pause)
    {
        for (long end = Done + operations; Done < end;)
        {
            await ApplyAsync(_workload.Next(_model.State));
            if (_prng.NextInt32(8) == 0)
                await pause();
        }
    }

    /// <summary>Does one operation, unless it cannot be done.</summary>
    /// <exception cref="InvalidOperationException">The model disagrees.</exception>
    public async Task ApplyAsync(FsOp op)
    {
        if (!_model.Knows(op))
            return;
        _last.Enqueue(op);
        if (_last.Count > RememberedOperations)
            _ = _last.Dequeue();
        var actual = await Driver.ApplyAsync(op);
        if (actual.IsUnsupported)
            return;
        Done++;
        if (MayBeFull)
        {
            var part = actual.PartOf(op);
            if (actual.Error == FsError.NoSpace)
            {
                Refused++;
                if (part is not null)
                    _ = _model.Apply(part, Driver.StartedAt);
                return;
            }

            op = part ?? op;
        }
        else if (actual.PartOf(op) is { } part)
        {
            throw Failure($"operation {Done}, {op.Describe()}: only {part.Describe()} was done");
        }

        var expected = _model.Apply(op, Driver.StartedAt);
        if (expected.DifferenceTo(actual) is { } difference)
            throw Failure($"operation {Done}, {op.Describe()}: {difference}");
    }

    /// <summary>Removes every name, the deepest first.</summary>
    public async Task RemoveAllAsync()
    {
        while (_model.State.Find(ModelState.RootId) is { Entries.IsEmpty: false })
        {
            foreach (var inode in _model.State.Inodes.Values.Where(static inode => inode.Entries.IsEmpty))
            {
                foreach (var link in inode.Links)
                    await ApplyAsync(new RemoveOp(link.Directory, link.Name, inode.IsDirectory));
            }
        }
    }

    /// <summary>Compares everything below the home directory, read through the mount.</summary>
    public async Task CompareAsync()
    {
        var actual = await Driver.ReadAllAsync();
        Compare(WithoutZeros(_model.State), actual);
    }

    /// <summary>Compares with the volume as it was read without a mount.</summary>
    public void Compare(ModelState actual) => Compare(_model.State, actual);

    /// <summary>All handles are closed, on both sides.</summary>
    public async Task CloseAllAsync()
    {
        await Driver.CloseAllAsync();
        _ = _model.CloseAll();
    }

    private void Compare(ModelState expected, ModelState actual)
    {
        var options = ModelComparisonOptions.Exact with { ComparesAtime = true };
        if (ModelComparison.Compare(expected, actual, options).Difference is { } difference)
            throw Failure($"after {Done} operations: {difference}");
    }

    private InvalidOperationException Failure(string text) =>
        new($"{text}\nLast operations:\n  {string.Join("\n  ", _last.Select(static op => op.Describe()))}");

    private static ModelState WithoutZeros(ModelState state) => new(state.Inodes.ToImmutableDictionary(
        static pair => pair.Key,
        static pair => pair.Value with
        {
            Blocks = pair.Value.Blocks.Where(static block => block.Value.Bytes.AsSpan().ContainsAnyExcept((byte)0))
                .ToImmutableSortedDictionary(),
        }));
}
