import type { Command } from 'commander'
import { below, does, prose, type Shell, withCluster } from './parts.ts'

/** `backup`, `restore`. */
export function declareBackupCommands(program: Command, shell: Shell): void {
  declareBackup(program, shell)
  declareRestore(program, shell)
}

function declareBackup(program: Command, shell: Shell): void {
  const command = withCluster(
    program.command('backup').summary('copy the whole cluster to a folder').argument('<folder>'),
  )
    .option('--since <folder>', 'only what has changed since the backup in that folder')
    .option('--no-repair', 'do not compare the copies of the nodes first')
    .description(
      prose(`
      Copies every row with its clock and siblings: a file for each partition, and a
      manifest with counts and hashes, written last. Writes go on meanwhile; each copy
      has at least what was acknowledged before it began. The same command goes on with
      a backup that was interrupted.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal backup /backups/monday',
        'shoal backup /backups/tuesday --since /backups/monday',
        'shoal backup verify /backups/monday',
      ),
    )
  does(command, shell, async () => (await import('../commands/backup.ts')).backup)
  const verify = command
    .command('verify')
    .summary('read a backup and check all of it')
    .argument('<folder>')
    .option('--json', 'print JSON')
    .description(prose('Checks the hash of each file, its form, and the checksums of every row.'))
    .addHelpText('after', below('shoal backup verify /backups/monday'))
  does(verify, shell, async () => (await import('../commands/backup-verify.ts')).verifyBackup)
}

function declareRestore(program: Command, shell: Shell): void {
  const command = withCluster(
    program
      .command('restore')
      .summary('bring backups into a cluster')
      .argument('<folders...>', 'a full backup, and those that go on from it, in any order'),
  )
    .option('--resume', 'go on with one that was interrupted, of the same folders')
    .option('--dry-run', 'say what would be done, and do nothing')
    .description(
      prose(`
      Merges every row of the backups into a cluster of any size, empty or not. Nothing
      is overwritten: what is newer in the cluster stays, what is concurrent becomes a
      sibling. May be repeated; with --resume it goes on where it was interrupted.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal restore /backups/monday /backups/tuesday',
        'shoal restore --dry-run /backups/monday',
      ),
    )
  does(command, shell, async () => (await import('../commands/restore.ts')).restore)
}
