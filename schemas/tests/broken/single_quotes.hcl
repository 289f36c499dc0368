job 'web' {
}
