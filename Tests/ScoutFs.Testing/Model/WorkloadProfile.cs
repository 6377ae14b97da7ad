namespace ScoutFs.Testing.Model;

/// <summary>What a random workload is like: sizes, and the weights of operations among each other.</summary>
public sealed record WorkloadProfile
{
    /// <summary>A bit of everything.</summary>
    public static WorkloadProfile Usual { get; } = new();

    /// <summary>Few directories with many names.</summary>
    public static WorkloadProfile BigDirectories { get; } = new()
    {
        MaxInodes = 20_000,
        NamesPerDirectory = 20_000,
        Make = 400,
        MakeDirectoryPerMille = 2,
        Write = 10,
        Link = 40,
        Remove = 60,
        Rename = 80,
        Xattr = 10,
    };

    /// <summary>Long chains of directories that are moved about.</summary>
    public static WorkloadProfile DeepTrees { get; } = new()
    {
        MaxInodes = 300,
        NamesPerDirectory = 4,
        MakeDirectoryPerMille = 800,
        NewestDirectoryPerMille = 500,
        Rename = 300,
        Write = 10,
        Xattr = 10,
    };

    /// <summary>Few files that are written, cut and filled.</summary>
    public static WorkloadProfile Contents { get; } = new()
    {
        MaxInodes = 30,
        NamesPerDirectory = 20,
        Make = 40,
        Remove = 30,
        Write = 400,
        Truncate = 100,
        Allocate = 60,
        Query = 200,
        MaxFileBytes = 4 << 20,
        MaxWriteBytes = 256 << 10,
    };

    /// <summary>Many extended attributes with all tags.</summary>
    public static WorkloadProfile Xattrs { get; } = new()
    {
        MaxInodes = 50,
        NamesPerDirectory = 20,
        Make = 20,
        Remove = 20,
        Xattr = 500,
        MaxXattrBytes = 65535,
    };

    /// <summary>Small operations that each fit a transaction, for crashes at every write.</summary>
    public static WorkloadProfile Crash { get; } = new()
    {
        MaxInodes = 80,
        NamesPerDirectory = 12,
        MaxFileBytes = 96 << 10,
        MaxWriteBytes = 12 << 10,
        MaxXattrBytes = 3000,
        Sync = 30,
        Query = 20,
    };

    /// <summary>Writes as long as they fit a transaction, for crashes of volumes that are full.</summary>
    public static WorkloadProfile Filling { get; } = Crash with
    {
        MaxFileBytes = 1 << 20,
        MaxWriteBytes = 128 << 10,
        MaxXattrBytes = 60_000,
        Xattr = 300,
        Write = 400,

        // Fails half way, in several transactions.
        Allocate = 0,
    };

    /// <summary>From this many inodes on, more is removed than made.</summary>
    public int MaxInodes { get; init; } = 500;

    /// <summary>Size of the pool that names are drawn from; small pools collide often.</summary>
    public int NamesPerDirectory { get; init; } = 30;

    /// <summary>Files do not grow further.</summary>
    public int MaxFileBytes { get; init; } = 512 << 10;

    /// <summary>Longest write.</summary>
    public int MaxWriteBytes { get; init; } = 40 << 10;

    /// <summary>Longest value of an extended attribute, up to 65535.</summary>
    public int MaxXattrBytes { get; init; } = 4000;

    /// <summary>Share of directories among what is made.</summary>
    public int MakeDirectoryPerMille { get; init; } = 150;

    /// <summary>Share of names that go into the newest directory, which makes trees deep.</summary>
    public int NewestDirectoryPerMille { get; init; } = 100;

    /// <summary>Share of names that are odd: random bytes, too long, with equal hashes.</summary>
    public int OddNamePerMille { get; init; } = 80;

    /// <summary>Weight of files, directories, symlinks, special files.</summary>
    public int Make { get; init; } = 160;

    /// <summary>Weight of files without a name.</summary>
    public int Tmpfile { get; init; } = 10;

    /// <summary>Weight of hard links.</summary>
    public int Link { get; init; } = 50;

    /// <summary>Weight of unlink and rmdir.</summary>
    public int Remove { get; init; } = 110;

    /// <summary>Weight of rename.</summary>
    public int Rename { get; init; } = 90;

    /// <summary>Weight of open and close.</summary>
    public int Open { get; init; } = 40;

    /// <summary>Weight of writes.</summary>
    public int Write { get; init; } = 160;

    /// <summary>Weight of truncations, up and down.</summary>
    public int Truncate { get; init; } = 40;

    /// <summary>Weight of fallocate.</summary>
    public int Allocate { get; init; } = 15;

    /// <summary>Weight of chmod, chown, utimes, project ids.</summary>
    public int SetAttr { get; init; } = 50;

    /// <summary>Weight of setting and removing extended attributes.</summary>
    public int Xattr { get; init; } = 90;

    /// <summary>Weight of release and stage; 0 where nobody is there to stage.</summary>
    public int Archive { get; init; }

    /// <summary>Weight of reads, lookups, listings, seeks.</summary>
    public int Query { get; init; } = 120;

    /// <summary>Weight of fsync and sync.</summary>
    public int Sync { get; init; } = 5;
}
